--- The version of celements; the changelog and the rockspec agree with it.

return "0.1.0"
