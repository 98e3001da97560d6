wirken/skill/v1
{"description":"Looks into JSON files - their shape, one value by its path, filters, differences between two files, and turns them into CSV. Use it for any question about a .json or .jsonl file.","files":[{"mode":"0644","path":"SKILL.md","sha256":"83f7bbce9d130a4797ed593695e754434094d0e0193e6f670c7013da60d6e2bf","size":880},{"mode":"0755","path":"scripts/query.py","sha256":"c36a4d9b56885f707e6a633cd49e7ef07f40d3767988bd621d370a4cd38da44b","size":5705}],"format":1,"name":"json-tools","permissions":{"commands":[],"credentials":[],"hosts":[],"read":["."],"tools":["exec"],"write":[]},"requires":{"anyBins":[],"bins":["python3"],"env":[],"os":[]},"version":"1.0.0"}

— wirken-development 0WlSEMPeA/7a5SjResmPg1f1JbK855Trmwa/xNPeXMuXqAScFcDnBNzVPq7FBwv2IGI+M4trjJIBWPyBm1I46hcFZQw=
