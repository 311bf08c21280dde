#include <stdio.h>

int main(void)
{
    fprintf(stderr, "resolution 1 ns\n");
    return 0;
}
