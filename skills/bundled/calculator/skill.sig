wirken/skill/v1
{"description":"Calculates exactly - arithmetic, fractions, percentages, roots, sums of money. Use it for any calculation that matters instead of working it out yourself.","files":[{"mode":"0644","path":"SKILL.md","sha256":"b0e4db5fea1714a1d60dbae0154d4aaca62a02d5e18e343843a073e30b7c9af5","size":807},{"mode":"0755","path":"scripts/calc.py","sha256":"e4d9c73d714dea11894e0d320dd89f19b0e8e05e685789b4f89b5ecc433ffc7a","size":3672}],"format":1,"name":"calculator","permissions":{"commands":[],"credentials":[],"hosts":[],"read":["."],"tools":["exec"],"write":[]},"requires":{"anyBins":[],"bins":["python3"],"env":[],"os":[]},"version":"1.0.0"}

— wirken-development 0WlSEM9qBG8BD29ETAynT++J7r/PVuVN/0/OmPUBckpcxGuoLiT+CNPg/vsNCO5BDmgF5Q++V9AbiR9PNWGPqZUUEA4=
