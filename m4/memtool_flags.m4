# SPDX-License-Identifier: Apache-2.0

# MEMTOOL_APPEND_FLAGS(VARIABLE, FLAGS)
# Appends to VARIABLE each of FLAGS (separated by blanks) that the C compiler takes without a
# warning. -Werror is needed for the question: clang merely warns of a -W that it does not know.
AC_DEFUN([MEMTOOL_APPEND_FLAGS], [
  m4_foreach_w([flag], [$2], [
    AS_VAR_PUSHDEF([cached], [memtool_cv_flag_]flag)
    AC_CACHE_CHECK([whether $CC accepts flag], [cached], [
      memtool_saved_CFLAGS=$CFLAGS
      CFLAGS="$CFLAGS -Werror flag"
      AC_COMPILE_IFELSE([AC_LANG_PROGRAM], [AS_VAR_SET([cached], [yes])],
                        [AS_VAR_SET([cached], [no])])
      CFLAGS=$memtool_saved_CFLAGS
    ])
    AS_VAR_IF([cached], [yes], [$1="$$1 flag"])
    AS_VAR_POPDEF([cached])
  ])
  AC_SUBST([$1])
])

# MEMTOOL_HOST
# Ends configure unless it builds for what memtool can read: 64-bit x86 with glibc.
AC_DEFUN([MEMTOOL_HOST], [
  AC_CACHE_CHECK([for an x86-64 host with glibc], [memtool_cv_host], [
    AC_COMPILE_IFELSE([AC_LANG_SOURCE([[
#include <features.h>
#if !defined(__linux__) || !defined(__GLIBC__) || !defined(__x86_64__) || !defined(__LP64__)
#error "not x86-64 Linux with glibc"
#endif
]])], [memtool_cv_host=yes], [memtool_cv_host=no])
  ])
  AS_VAR_IF([memtool_cv_host], [yes], [],
    [AC_MSG_ERROR([memtool reads the heaps of x86-64 Linux programs that use glibc, and builds on such a system only])])
])

# MEMTOOL_REQUIRE(VARIABLE, MODULE, DEBIAN-PACKAGE)
# PKG_CHECK_MODULES whose failure names the package to install.
AC_DEFUN([MEMTOOL_REQUIRE], [
  PKG_CHECK_MODULES([$1], [$2], [],
    [AC_MSG_ERROR([$2 is missing: on Debian, apt-get install $3 (./bootstrap build does that)])])
])
