/* Records its arguments as results: texts after -t, numbers after -n. */
#include "rack.h"

int main(int count, char **words)
{
    char key[32], field[32];

    for (int i = 2; i < count; i++) {
        snprintf(key, sizeof key, "k%d_v1", i - 1);
        snprintf(field, sizeof field, "x%d", i - 1);
        if (strcmp(words[1], "-n") == 0) {
            rack_check("n", strtod(words[i], NULL), "", "min=%s warn.max=%s max=", words[i], words[i]);
            continue;
        }
        rack_set_number(key, i);
        rack_set(key, words[i]);
        rack_field("f_v1", field, words[i]);
    }
    if (strcmp(words[1], "-t") == 0)
        rack_fail("%s", words[2]);
    return 0;
}
