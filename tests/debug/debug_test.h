/*
 * What the tests of this folder share: text that was printed to a FILE, compared line by line with
 * what is expected, with the lines of this file by name.
 */
#ifndef ALOOP_TESTS_DEBUG_TEST_H
#define ALOOP_TESTS_DEBUG_TEST_H

#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The lines of awaits, by name: each is noted on that line, as it is passed. */
static ALOOP_UNUSED int at[16];
#define AT(place) at[place] = __LINE__

/* A FILE whose text is kept. */
struct text {
    FILE *file;
    char *content;
    size_t size;
};

static ALOOP_UNUSED FILE *text_open(struct text *text)
{
    *text = (struct text){0};
    text->file = open_memstream(&text->content, &text->size);
    assert_non_null(text->file);
    return text->file;
}

/* Takes all occurrences of `what` out of `content`. */
static ALOOP_UNUSED void cut_out(char *content, const char *what)
{
    size_t size = strlen(what);
    char *to = content;

    while (*content != '\0') {
        if (strncmp(content, what, size) == 0)
            content += size;
        else
            *to++ = *content++;
    }
    *to = '\0';
}

/* The text, without the name of the test's file. The caller frees it. */
#define text_close(text) text_close_without((text), __FILE__)
static ALOOP_UNUSED char *text_close_without(struct text *text, const char *file_name)
{
    assert_int_equal(fclose(text->file), 0);
    cut_out(text->content, file_name);
    return text->content;
}

/* Asserts that the text is `format`, filled in, and frees it. */
static ALOOP_UNUSED void assert_text(char *text, const char *format, ...)
{
    static char expected[1 << 16];
    va_list values;

    va_start(values, format);
    assert_in_range(vsnprintf(expected, sizeof expected, format, values), 0, sizeof expected - 1);
    va_end(values);
    assert_string_equal(text, expected);
    free(text);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

#endif
