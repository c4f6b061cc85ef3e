module weft.example/caller

go 1.21
