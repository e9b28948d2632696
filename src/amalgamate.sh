#!/bin/sh
# Writes the library into FOLDER as one source and one header, aloop.c and aloop.h, for those who
# take it into a tree of their own. They are the same for all systems.
#     src/amalgamate.sh FOLDER
set -eu
export LC_ALL=C
out=${1:?the folder to write to}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/.."

cat >"$out/aloop.c" <<'END'
/*
 * libaloop, its sources in one file, as written by its src/amalgamate.sh: to change something,
 * change those.
 */
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif
#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#else
/* A strict _POSIX_C_SOURCE hides what is not POSIX on these systems. */
#undef _POSIX_C_SOURCE
#undef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE 1
#undef _NETBSD_SOURCE
#define _NETBSD_SOURCE 1
#undef __EXTENSIONS__
#define __EXTENSIONS__ 1
#endif
#include "aloop.h"

/* Tests of the inside link to it; a program sees nothing but the interface. */
#ifdef ALOOP_INTERNALS_ARE_LINKED
#define ALOOP_INTERNAL extern
#define ALOOP_INTERNAL_DATA
#else
#define ALOOP_INTERNAL static ALOOP_UNUSED
#define ALOOP_INTERNAL_DATA static
#endif
END
awk -v public="$out/aloop.h" -f src/amalgamate.awk src/*/*.c >>"$out/aloop.c"
