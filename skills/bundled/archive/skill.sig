wirken/skill/v1
{"description":"Lists, unpacks and makes .zip and .tar.gz archives in the workspace. Use it when somebody mentions a zip, a tarball, or wants files packed or unpacked.","files":[{"mode":"0644","path":"SKILL.md","sha256":"31d7fa0c844ec3c832cada1379cd63e2ad23b9ca6ab8c6c3df1e2d53f4ca863a","size":914},{"mode":"0755","path":"scripts/archive.py","sha256":"ac9227749e25308bbfd87de1177df2d573f233a61be0e7c955c924e5bf4dd36c","size":4102}],"format":1,"name":"archive","permissions":{"commands":[],"credentials":[],"hosts":[],"read":["."],"tools":["exec"],"write":["."]},"requires":{"anyBins":[],"bins":["python3"],"env":[],"os":[]},"version":"1.0.0"}

— wirken-development 0WlSEIshH9WA5lABLhnQgJjujWxqQ3NrSw654ZVvB9A7vJHjVFjN3hg6oPTauCDsIc8n/1ULpvLg2hmqbj77GEQiYgo=
