/* What GCC may call without being asked, where there is no C library. */
#include <stddef.h>

void *memset(void *to, int value, size_t size);

void *memset(void *to, int value, size_t size)
{
    void *at = to;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
    return to;
}
