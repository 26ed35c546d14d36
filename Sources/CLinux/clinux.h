#pragma once
// What Swift's Glibc module leaves out: raw system calls, variadic calls, and a spawn that ties a
// child's life to its parent's. Functions return -1 and set errno, as in libc.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static inline char **clinux_environ(void) { return environ; }

static inline int clinux_openat(int dir, const char *path, int flags, unsigned mode) {
  return openat(dir, path, flags, mode);
}

// Glibc's O_PATH needs _GNU_SOURCE; it has this value on every machine that Swift runs on.
static const int clinux_path_only = 010000000;
// SEEK_DATA and SEEK_HOLE of lseek(2).
static const int clinux_seek_data = 3;
static const int clinux_seek_hole = 4;

// openat2(2), which may refuse to leave the directory or to follow any link. `how` is struct open_how of linux/openat2.h.
static inline int clinux_openat2(int dir, const char *path, int flags, unsigned mode, unsigned resolve) {
  struct {
    uint64_t flags, mode, resolve;
  } how = {(uint64_t)(unsigned)flags, flags & O_CREAT ? mode : 0, resolve};
  return (int)syscall(437 /* SYS_openat2 */, dir, path, &how, sizeof how);
}

// renameat2(2) with RENAME_EXCHANGE: each name has what the other had.
static inline int clinux_exchange(int dir, const char *path, int other_dir, const char *other_path) {
  return (int)syscall(SYS_renameat2, dir, path, other_dir, other_path, 2u);
}

// renameat2(2) with RENAME_NOREPLACE: EEXIST when there is something of the new name.
static inline int clinux_rename_new(int dir, const char *path, int other_dir, const char *other_path) {
  return (int)syscall(SYS_renameat2, dir, path, other_dir, other_path, 1u);
}

static inline int clinux_pipe2(int *ends, int flags) { return (int)syscall(SYS_pipe2, ends, flags); }

static inline long clinux_getdents64(int fd, void *buffer, size_t size) {
  return syscall(SYS_getdents64, fd, buffer, size);
}

static inline int clinux_memfd_create(const char *name) {
  return (int)syscall(SYS_memfd_create, name, 1u /* MFD_CLOEXEC */);
}

static inline int clinux_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

static inline long clinux_file_system_type(int fd) {
  struct statfs status;
  return fstatfs(fd, &status) == -1 ? -1 : (long)(uint32_t)status.f_type;
}

// What the server says now of what is at the path, and not what this host remembers of it.
static inline int clinux_status_anew(int dir, const char *path, struct stat *status) {
  // struct statx, of which this header needs to know no more.
  struct {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, user, group;
    uint16_t mode, spare0;
    uint64_t inode, size, blocks, attributes_mask;
    struct { int64_t seconds; uint32_t nanoseconds; int32_t reserved; } accessed, born, changed, modified;
    uint32_t special_major, special_minor, major, minor;
    uint64_t spare1[14];
  } found;
  // AT_STATX_FORCE_SYNC | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS
  if (syscall(SYS_statx, dir, path, 0x2000 | 0x100, 0x7ff, &found) == -1) return -1;
  memset(status, 0, sizeof *status);
  status->st_dev = ((uint64_t)(found.major & 0xfff) << 8) | (found.minor & 0xff)
    | ((uint64_t)(found.minor & ~0xffu) << 12) | ((uint64_t)(found.major & ~0xfffu) << 32);
  status->st_ino = found.inode;
  status->st_mode = found.mode;
  status->st_nlink = found.links;
  status->st_uid = found.user;
  status->st_gid = found.group;
  status->st_size = (off_t)found.size;
  status->st_mtim.tv_sec = found.modified.seconds;
  status->st_mtim.tv_nsec = found.modified.nanoseconds;
  status->st_ctim.tv_sec = found.changed.seconds;
  status->st_ctim.tv_nsec = found.changed.nanoseconds;
  return 0;
}

// Has what is written over the file's bytes go to the same place on the disk, which copy-on-write file systems don't do
// otherwise. Only for a file that is empty. As `chattr +C`, of btrfs.
static inline int clinux_write_in_place(int fd) {
  int flags = 0;
  // FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_NOCOW_FL of linux/fs.h
  if (ioctl(fd, _IOR('f', 1, long), &flags) == -1) return -1;
  flags |= 0x00800000;
  return ioctl(fd, _IOW('f', 2, long), &flags);
}

// Waits until what was written reached the file system's host. It need not be on its disk.
static inline int clinux_write_out(int fd) {
  // SYNC_FILE_RANGE_WAIT_BEFORE | _WRITE | _WAIT_AFTER
  return (int)syscall(SYS_sync_file_range, fd, (int64_t)0, (int64_t)0, 7);
}

static inline int clinux_syncfs(int fd) { return (int)syscall(SYS_syncfs, fd); }

static inline long clinux_getrandom(void *buffer, size_t size) { return getrandom(buffer, size, 0); }

// A negative time waits without limit.
static inline int clinux_poll(struct pollfd *entries, size_t count, int64_t nanoseconds) {
  struct timespec limit = {nanoseconds / 1000000000, nanoseconds % 1000000000};
  return ppoll(entries, count, nanoseconds < 0 ? 0 : &limit, 0);
}

// Becomes readable when the other end is gone; -1 where there is none, as of a file. EPOLLERR and EPOLLHUP come unasked.
static inline int clinux_watch_end(int descriptor) {
  struct epoll_event nothing = {0};
  int watch = epoll_create1(EPOLL_CLOEXEC);
  if (watch == -1 || epoll_ctl(watch, EPOLL_CTL_ADD, descriptor, &nothing) == 0) return watch;
  int code = errno;
  close(watch);
  errno = code;
  return -1;
}

// For a loop that waits for another processor.
static inline void clinux_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

// How many this process may run on; 1 when that can't be told.
static inline int clinux_processors(void) {
  unsigned long sets[128];
  long bytes = syscall(SYS_sched_getaffinity, 0, sizeof sets, sets);
  int count = 0;
  for (long i = 0; i < bytes / (long)sizeof *sets; i++) count += __builtin_popcountl(sets[i]);
  return count > 0 ? count : 1;
}

// Not by the wall clock, which may be set while somebody waits.
static inline int clinux_mutex_lock_within(pthread_mutex_t *mutex, int seconds) {
  struct timespec limit;
  clock_gettime(CLOCK_MONOTONIC, &limit);
  limit.tv_sec += seconds;
  return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &limit);
}

// The low bits of the word that the kernel looks at when a thread dies.
static inline int clinux_mutex_holder(pthread_mutex_t *mutex) {
  return __atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) & 0x3fffffff;
}

// Shared futexes: the word lies in a page that several processes map.
static inline int clinux_futex_wait(uint32_t *word, uint32_t expected, int64_t nanoseconds) {
  struct timespec timeout = {nanoseconds / 1000000000, nanoseconds % 1000000000};
  return (int)syscall(SYS_futex, word, 0 /* FUTEX_WAIT */, expected, &timeout, 0, 0);
}

static inline int clinux_futex_wake(uint32_t *word, int count) {
  return (int)syscall(SYS_futex, word, 1 /* FUTEX_WAKE */, count, 0, 0, 0);
}

// A read lease is refused (EAGAIN) while anybody has the file open for writing; that is all it is
// used for. SIGURG, ignored by default, stands in for SIGIO, which would kill the process if a
// writer came just then. 0: nobody is writing.
static inline int clinux_probe_writers(int fd) {
  if (fcntl(fd, 10 /* F_SETSIG */, SIGURG) == -1) return -1;
  if (fcntl(fd, 1024 /* F_SETLEASE */, F_RDLCK) == -1) return -1;
  return fcntl(fd, 1024 /* F_SETLEASE */, F_UNLCK);
}

// Whoever started this process may have blocked it, and that is inherited; so have pools of threads.
static inline int clinux_signal_unblock(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  return pthread_sigmask(SIG_UNBLOCK, &set, 0) == 0 ? 0 : -1;
}

// dnotify: a signal for each change in a directory; the handler turns it into a byte in a pipe.
static int clinux_dnotify_pipe = -1;

static inline void clinux_dnotify_handler(int number) {
  int saved = errno;
  char byte = 1;
  (void)number;
  if (write(clinux_dnotify_pipe, &byte, 1) == -1) { /* full: a wake-up is already waiting */ }
  errno = saved;
}

static inline int clinux_dnotify_install(int pipe) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = clinux_dnotify_handler;
  action.sa_flags = SA_RESTART;
  clinux_dnotify_pipe = pipe;
  // The kernel sends SIGIO, which would kill the process, where too many signals are queued already.
  if (sigaction(SIGIO, &action, 0) == -1) return -1;
  return sigaction(SIGRTMIN + 7, &action, 0);
}

static inline int clinux_dnotify_watch(int directory, int tells_removals) {
  if (clinux_signal_unblock(SIGIO) == -1 || clinux_signal_unblock(SIGRTMIN + 7) == -1) return -1;
  if (fcntl(directory, 10 /* F_SETSIG */, SIGRTMIN + 7) == -1) return -1;
  // DN_MODIFY | DN_CREATE | DN_RENAME | DN_MULTISHOT, DN_DELETE
  int removals = tells_removals ? 0x8 : 0;
  return fcntl(directory, 1026 /* F_NOTIFY */, 0x2 | 0x4 | 0x10 | (int)0x80000000 | removals);
}

// Signals that ask to stop: the handler turns each into a byte in a pipe. What is ignored stays so.
static int clinux_signal_pipe = -1;

static inline void clinux_signal_handler(int number) {
  int saved = errno;
  char byte = (char)number;
  if (write(clinux_signal_pipe, &byte, 1) == -1) { /* full: enough requests are waiting already */ }
  errno = saved;
}

static inline _Bool clinux_signal_is_ignored(int number) {
  struct sigaction present;
  return sigaction(number, 0, &present) == 0 && present.sa_handler == SIG_IGN;
}

static inline int clinux_signal_catch(int number, int pipe) {
  struct sigaction action, present;
  if (sigaction(number, 0, &present) == -1) return -1;
  if (present.sa_handler == SIG_IGN) return 0;
  memset(&action, 0, sizeof action);
  action.sa_handler = clinux_signal_handler;
  action.sa_flags = SA_RESTART;
  clinux_signal_pipe = pipe;
  if (sigaction(number, &action, 0) == -1) return -1;
  return clinux_signal_unblock(number);
}

static inline void clinux_signal_release(int number) {
  struct sigaction present;
  if (sigaction(number, 0, &present) == 0 && present.sa_handler == clinux_signal_handler) signal(number, SIG_DFL);
}

// Starts a program that dies with the calling thread, in a session of its own, and so in a process group of its own, and
// without a terminal: one that read from it in the background would be stopped, and never end. Its descriptor 3 is
// `third`, unless that is -1. Returns the child's pid, or -1 with errno from vfork or execvpe.
static inline int clinux_spawn(char *const argv[], char *const envp[], int in, int out, int err, int third) {
  volatile int failure = 0;
  sigset_t all, old;
  int parent = getpid();
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &old);
  int child = vfork();
  if (child == 0) {
    for (int number = 1; number < 32; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    // Where it is 3 already it must lose its close-on-exec, which dup2 would leave.
    if (dup2(in, 0) == -1 || dup2(out, 1) == -1 || dup2(err, 2) == -1 ||
        (third != -1 && (third == 3 ? fcntl(3, F_SETFD, 0) : dup2(third, 3)) == -1)) {
      failure = errno;
      _exit(127);
    }
    sigprocmask(SIG_SETMASK, &none, 0);
    execvpe(argv[0], argv, envp);
    failure = errno;
    _exit(127);
  }
  int saved = errno;
  sigprocmask(SIG_SETMASK, &old, 0);
  if (child > 0 && failure != 0) {
    syscall(SYS_wait4, child, 0, 0, 0);
    child = -1;
    saved = failure;
  }
  errno = saved;
  return child;
}
