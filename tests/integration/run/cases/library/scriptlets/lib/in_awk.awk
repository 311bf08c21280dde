BEGIN {
    secret = rack_param("pin") "-made-here"
    rack_secret(secret)
    "id -un" | getline user
    print user " has " secret > "/dev/stderr"
    rack_field("lib.awk_v1", "text", rack_param("text"))
    rack_field("lib.awk_v1", "seed", rack_get("lib.seed_v1.text"))
    rack_field_number("lib.awk_v1", "next", rack_get("lib.seed_v1.n") + 1)
    rack_check("heat", rack_param("celsius"), "C", "max=95", "warn.max=80")
    printf "%s", rack_param("text") > "awk.txt"
    close("awk.txt")
    rack_attach("awk.txt", "note.txt")
}
