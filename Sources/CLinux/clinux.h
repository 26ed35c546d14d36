#pragma once
#include <sys/syscall.h>
#include <unistd.h>
static inline long clinux_test(void) { return syscall(SYS_getpid); }
