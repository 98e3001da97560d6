wirken/skill/v1
{"description":"Reads and writes calendar files (.ics) in the workspace - what is on in some days, new events, a month at a glance. Use it for dates, appointments and schedules in files.","files":[{"mode":"0644","path":"SKILL.md","sha256":"5389b6bdd7cdb3c6fd441d2f9416bce5216ebdd6ceda0dcce9f75da5dc39e03a","size":1006},{"mode":"0755","path":"scripts/ics.py","sha256":"205b65f159582574ebd465de0eecee01a15426f627d412cbf95a10c03ce97d91","size":5171}],"format":1,"name":"calendar","permissions":{"commands":[],"credentials":[],"hosts":[],"read":["."],"tools":["exec"],"write":["."]},"requires":{"anyBins":[],"bins":["python3"],"env":[],"os":[]},"version":"1.0.0"}

— wirken-development 0WlSEG03ZoJs650FAH8xPW6azxPsEesqOUEYx1yNzors6Mpp8igC0oV/JoK/xYNvb/laFPKIjL5fD/a530s5NMyMcQc=
