#define _DEFAULT_SOURCE
#include "rack.h"
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
    const struct passwd *user = getpwuid(getuid());
    FILE *note = fopen("c.txt", "w");

    rack_secret("hush-hush-made-here");
    fprintf(stderr, "%s has hush-hush-made-here\n", user ? user->pw_name : "?");
    rack_field("lib.c_v1", "text", rack_param("text", ""));
    rack_check("heat", atof(rack_param("celsius", "")), "C", "max=95 warn.max=80");
    if (!note || fputs(rack_param("text", ""), note) < 0 || fclose(note) != 0)
        rack_error("c.txt cannot be written");
    rack_attach("c.txt", "note.txt");
    return 0;
}
