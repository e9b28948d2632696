/*
 * Words for what an operation says of itself.
 */
#include "task/internal.h"

/* What stands for the rest of a string that was too long. */
#define CUT "..."

void details_add(aloop_op_details *details, const char *words)
{
    size_t used = strlen(details->text);
    size_t room = sizeof details->text - 1 - used;
    size_t end = sizeof details->text - sizeof CUT;

    if (strlen(words) <= room) {
        memcpy(details->text + used, words, strlen(words) + 1);
        return;
    }
    memcpy(details->text + used, words, room);
    /* Not in the middle of a character: these are the bytes of UTF-8 that none begins with. */
    while (end > 0 && ((unsigned char)details->text[end] & 0xC0) == 0x80)
        end--;
    memcpy(details->text + end, CUT, sizeof CUT);
}
