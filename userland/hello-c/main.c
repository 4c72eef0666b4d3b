/*
 * A program in C, built with nothing but the header of the system calls: it tries its capabilities, then offers a
 * service.
 *
 * Whoever starts it gives it a console and, in the slot FLATMK_MEMORY, a little memory.
 */

#include <flatmk.h>

/* The slots from here on are free. */
enum slot {
    /* Where a program offers its service. */
    SERVICE = 6,
    FRAME = 16,
    EMPTY = 17,
};

/* Where the frame is mapped. */
#define FRAME_ADDRESS UINT64_C(0x10000000)

static uint64_t checks, passed;

/* Writes text to the console; without one there is nobody to tell. */
static void print(const char *text)
{
    uint64_t length = 0;
    while (text[length] != '\0')
        length++;
    flatmk_write(FLATMK_CONSOLE, (uintptr_t)text, length);
}

/* Counts, and says what is wrong if the status is not the one that the header promises. */
static void expect(const char *what, int64_t status, int64_t expected)
{
    checks++;
    if (status == expected) {
        passed++;
        return;
    }
    print("hello-c: not as documented: ");
    print(what);
    print("\n");
}

// ANCHOR: frame
/* Makes a frame, maps it, and finds in it what it has written. */
static void use_a_frame(void)
{
    struct flatmk_result before = flatmk_measure(FLATMK_MEMORY);
    expect("make", flatmk_make(FLATMK_MEMORY, FLATMK_KIND_FRAME, 1, FLATMK_TABLE, FRAME), 0);
    struct flatmk_result after = flatmk_measure(FLATMK_MEMORY);
    expect("a page fewer is free", (int64_t)after.words[0], (int64_t)before.words[0] - 1);
    expect("the memory has all its pages", (int64_t)after.words[1], (int64_t)before.words[0]);
    int64_t mapped = flatmk_map(FLATMK_SPACE, FRAME, FRAME_ADDRESS, FLATMK_ACCESS_READ_WRITE);
    expect("map", mapped, 0);
    if (mapped != 0)
        return;
    volatile uint64_t *words = (volatile uint64_t *)(uintptr_t)FRAME_ADDRESS;
    const uint64_t count = FLATMK_PAGE_SIZE / sizeof(*words);
    uint64_t zero = 0, found = 0;
    for (uint64_t index = 0; index < count; index++) {
        zero += words[index] == 0;
        words[index] = index * index;
    }
    for (uint64_t index = 0; index < count; index++)
        found += words[index] == index * index;
    expect("a frame that is made is zero", (int64_t)zero, (int64_t)count);
    expect("a frame holds what is written", (int64_t)found, (int64_t)count);
}
// ANCHOR_END: frame

// ANCHOR: errors
/* Asks for what it may not have. */
static void ask_too_much(void)
{
    expect("make too many", flatmk_make(FLATMK_MEMORY, FLATMK_KIND_FRAME, 32, FLATMK_TABLE, EMPTY),
           FLATMK_ERROR_OUT_OF_MEMORY);
    expect("map twice", flatmk_map(FLATMK_SPACE, FRAME, FRAME_ADDRESS, FLATMK_ACCESS_READ),
           FLATMK_ERROR_ALREADY_MAPPED);
    expect("map by another kind", flatmk_map(FLATMK_TABLE, FRAME, FRAME_ADDRESS, FLATMK_ACCESS_READ),
           FLATMK_ERROR_WRONG_KIND);
    expect("an empty slot", flatmk_unmap(EMPTY), FLATMK_ERROR_INVALID_CAPABILITY);
    expect("an unknown access", flatmk_protect(FRAME, 3), FLATMK_ERROR_INVALID_ARGUMENT);
    expect("unmap", flatmk_unmap(FRAME), 0);
    expect("unmap twice", flatmk_unmap(FRAME), FLATMK_ERROR_NOT_MAPPED);
    expect("map askew", flatmk_map(FLATMK_SPACE, FRAME, FRAME_ADDRESS + 1, FLATMK_ACCESS_READ),
           FLATMK_ERROR_INVALID_ADDRESS);
    expect("read without the right", flatmk_read(FLATMK_CONSOLE).status, FLATMK_ERROR_MISSING_RIGHT);
    expect("write what is unmapped", flatmk_write(FLATMK_CONSOLE, FRAME_ADDRESS, 1).status,
           FLATMK_ERROR_INVALID_ADDRESS);
    expect("no operation", flatmk_invoke(FLATMK_SELF, 255, 0, 0, 0, 0).status, FLATMK_ERROR_UNKNOWN_OPERATION);
}
// ANCHOR_END: errors

/*
 * Asks the same twice in a row. The kernel leaves other values in the registers of the arguments: a compiler that is not
 * told would ask something else the second time.
 */
static void ask_again(void)
{
    static volatile const uint64_t arguments[] = { FLATMK_MEMORY, FLATMK_KIND_FRAME, 1, FLATMK_TABLE, FRAME };
    const uint64_t memory = arguments[0], kind = arguments[1], count = arguments[2], table = arguments[3];
    const uint64_t slot = arguments[4];
    int64_t first = flatmk_make(memory, kind, count, table, slot);
    int64_t second = flatmk_make(memory, kind, count, table, slot);
    expect("make in a used slot", first, FLATMK_ERROR_SLOT_OCCUPIED);
    expect("make in a used slot, again", second, FLATMK_ERROR_SLOT_OCCUPIED);
}

// ANCHOR: service
FLATMK_ENTRY(_start, start)
FLATMK_ENTRY(service, serve)

/* At the start: what is asked of a program once. The return ends the start; the task is then ready to be called. */
void start(uint64_t argument, uint64_t word0, uint64_t word1, uint64_t word2, uint64_t word3)
{
    (void)argument, (void)word0, (void)word1, (void)word2, (void)word3;
    use_a_frame();
    ask_too_much();
    ask_again();
    print(passed == checks ? "hello-c: this is C, and everything is as documented\n" : "hello-c: this is C\n");
    flatmk_make_endpoint(FLATMK_SELF, FLATMK_ENTRY_ADDRESS(service), checks, FLATMK_TABLE, SERVICE);
    flatmk_return(FLATMK_REPLY, 0, 0, 0, 0);
}

/*
 * At a call: answers with two sums of the words, and how many checks passed, of how many. In the second sum each word
 * counts by its place, so that none can take the place of another unnoticed.
 *
 * Only a return that is refused comes back: the caller has faulted, and has made this service its fault handler. That
 * must not be the end of the service, so the caller is stopped.
 */
void serve(uint64_t context, uint64_t word0, uint64_t word1, uint64_t word2, uint64_t word3)
{
    uint64_t sum = word0 + word1 + word2 + word3;
    uint64_t weighted_sum = word0 + 2 * word1 + 3 * word2 + 4 * word3;
    flatmk_return(FLATMK_REPLY, sum, weighted_sum, passed, context);
    flatmk_return(FLATMK_REPLY, FLATMK_FAULT_ANSWER_STOP, 0, 0, 0);
}
// ANCHOR_END: service
