module otto/histories

go 1.18
