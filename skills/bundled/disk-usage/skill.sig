wirken/skill/v1
{"description":"Finds what takes space in the workspace - the largest folders and files, and how full the disk is. Use it when somebody asks what is big, or where space went.","files":[{"mode":"0644","path":"SKILL.md","sha256":"87c3f4d7f8f6e31bbb80e8567f86706a55addf63f59517f52349b3a0f6ef206d","size":637},{"mode":"0755","path":"scripts/usage.sh","sha256":"d2b2378f7dd60170c6a01d0ebf2ff7732b1d6cb3c190faff32ca3cee42bb8d55","size":779}],"format":1,"name":"disk-usage","permissions":{"commands":[],"credentials":[],"hosts":[],"read":["."],"tools":["exec"],"write":[]},"requires":{"anyBins":[],"bins":[],"env":[],"os":[]},"version":"1.0.0"}

— wirken-development 0WlSEPCY0VLEfVjL46VTSAQEZjpdiNnLoGnHkr/sYSOQsQiA6E1jiT9bq/47WLJ4I3Kk9AR2nAHIEUFDs8mcI8wptQo=
