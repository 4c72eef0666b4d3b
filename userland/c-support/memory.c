/* The functions that a compiler may call on its own account, also in a program without a library. */

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes);
void *memmove(void *to, const void *from, size_t size_bytes);
void *memset(void *to, int byte, size_t size_bytes);
int memcmp(const void *one, const void *other, size_t size_bytes);

#ifdef __x86_64__

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

#else

/* Nothing is known behind this of what is in memory, so the compiler does not make a call to the function itself of a loop. */
#define BYTE_IS_DONE() __asm__ volatile("" : : : "memory")

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes)
{
    return memmove(to, from, size_bytes);
}

void *memmove(void *to, const void *from, size_t size_bytes)
{
    char *place = to;
    const char *source = from;
    /* Where the target begins within the source: from the last byte down. */
    int is_downwards = (size_t)to - (size_t)from < size_bytes;
    for (size_t count = 0; count < size_bytes; count++) {
        size_t index = is_downwards ? size_bytes - 1 - count : count;
        place[index] = source[index];
        BYTE_IS_DONE();
    }
    return to;
}

void *memset(void *to, int byte, size_t size_bytes)
{
    char *place = to;
    for (size_t index = 0; index < size_bytes; index++) {
        place[index] = (char)byte;
        BYTE_IS_DONE();
    }
    return to;
}

#endif

int memcmp(const void *one, const void *other, size_t size_bytes)
{
    const unsigned char *left = one, *right = other;
    for (size_t index = 0; index < size_bytes; index++) {
        if (left[index] != right[index])
            return left[index] - right[index];
    }
    return 0;
}
