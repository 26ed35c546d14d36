// How fast a processor is, to compare that of the lab with the machine's own: nanoseconds for a step of plain computing, for a
// system call that does nothing, and for a look at an empty directory as an idle bot takes it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Of the processor: what the machine does meanwhile for others doesn't count.
static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

int main(int count, char **arguments) {
  const char *directory = count > 1 ? arguments[1] : "/dev/shm";
  const long steps = 200000000, calls = 200000, looks = 50000;
  volatile uint64_t result;
  uint64_t x = 88172645463325252ull;
  double began = now();
  for (long i = 0; i < steps; i++) x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  result = x;
  double computed = now();
  for (long i = 0; i < calls; i++) syscall(SYS_getppid);
  double called = now();
  char buffer[4096];
  for (long i = 0; i < looks; i++) {
    int file = open(directory, O_RDONLY | O_DIRECTORY);
    while (syscall(SYS_getdents64, file, buffer, sizeof buffer) > 0) {}
    close(file);
  }
  double looked = now();
  printf("%.3f %.1f %.1f\n", (computed - began) / steps, (called - computed) / calls, (looked - called) / looks);
  return result == 0;
}
