/* The functions that a compiler may call on its own account, also in a program without a library. */

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes);
void *memmove(void *to, const void *from, size_t size_bytes);
void *memset(void *to, int byte, size_t size_bytes);
int memcmp(const void *one, const void *other, size_t size_bytes);

/* The string instructions are used so that the compiler does not make a call to the function itself of a loop. */

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes)
{
    void *place = to;
    __asm__ volatile("rep movsb" : "+D"(place), "+S"(from), "+c"(size_bytes) : : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t size_bytes)
{
    if ((size_t)to - (size_t)from >= size_bytes)
        return memcpy(to, from, size_bytes);
    /* The target begins within the source: from the last byte down. Outside of here the direction flag is clear. */
    char *place = (char *)to + size_bytes - 1;
    const char *source = (const char *)from + size_bytes - 1;
    __asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(place), "+S"(source), "+c"(size_bytes) : : "memory");
    return to;
}

void *memset(void *to, int byte, size_t size_bytes)
{
    void *place = to;
    __asm__ volatile("rep stosb" : "+D"(place), "+c"(size_bytes) : "a"(byte) : "memory");
    return to;
}

int memcmp(const void *one, const void *other, size_t size_bytes)
{
    const unsigned char *left = one, *right = other;
    for (size_t index = 0; index < size_bytes; index++) {
        if (left[index] != right[index])
            return left[index] - right[index];
    }
    return 0;
}
