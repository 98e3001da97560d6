wirken/skill/v1
{"description":"Gets the text out of PDF files in the workspace, page by page. Use it when somebody asks what stands in a PDF, or wants it summarised or searched.","files":[{"mode":"0644","path":"SKILL.md","sha256":"3ef89d416e443a9cb632074355db4e2028f2e668ff810f8b4d08818b9c94ff11","size":876},{"mode":"0755","path":"scripts/pdf_text.py","sha256":"e8a6ef58cd8bd91baa5ea284c203c93918cae6f7494abc30c04100ad9a34bbe3","size":9215}],"format":1,"name":"pdf-text","permissions":{"commands":[],"credentials":[],"hosts":[],"read":["."],"tools":["exec"],"write":[]},"requires":{"anyBins":[],"bins":["python3"],"env":[],"os":[]},"version":"1.0.0"}

— wirken-development 0WlSEIGqslMEyHSr+DyhRUp9NRAYhcKHIl9y4oIaN4wwbiZBFDGYJQuR2JqbOygQFiNtSSHYfq4hd9y/ctSV8So3GQY=
