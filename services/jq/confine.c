/*
 * What a program of ours has that runs programs of others: the socket it came with, memory, and
 * the clock. Each limit would do alone; none costs anything.
 */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sanitizers map terabytes and look at files of /proc. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { MEMORY_BYTES = 256 << 20 };

static bool limit(int resource, rlim_t value)
{
	const struct rlimit both = { value, value };

	return setrlimit((__rlimit_resource_t)resource, &both) == 0;
}

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

/* Memory, the socket, the clock, and dying; whatever else is asked for "is not permitted",
 * which a library can live with, whereas being killed for a new one's curiosity cannot be
 * repaired. */
static bool filter_calls(void)
{
#ifdef OWN_ARCH
#define ALLOW(call)                                                                            \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1),                                     \
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_read),
		ALLOW(SYS_write),
		ALLOW(SYS_writev),
		ALLOW(SYS_brk),
		ALLOW(SYS_mmap),
		ALLOW(SYS_munmap),
		ALLOW(SYS_mremap),
		ALLOW(SYS_madvise),
		ALLOW(SYS_futex),
		ALLOW(SYS_getrandom),
		ALLOW(SYS_clock_gettime),
		ALLOW(SYS_gettimeofday),
		ALLOW(SYS_getpid),
		ALLOW(SYS_gettid),
		ALLOW(SYS_rt_sigprocmask),
		ALLOW(SYS_rt_sigaction),
		ALLOW(SYS_rt_sigreturn),
		ALLOW(SYS_tgkill),
		ALLOW(SYS_exit),
		ALLOW(SYS_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
#undef ALLOW
	const struct sock_fprog program = { .len = sizeof filter / sizeof filter[0],
					    .filter = filter };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
#else
	return true;
#endif
}

/* Where memory runs out for the whole container or machine, it is this process that goes, and
 * not the service that would replace it. */
static void offer_itself(void)
{
	int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	ssize_t ignored = file >= 0 ? write(file, "1000", 4) : 0;

	(void)ignored;
	if (file >= 0)
		close(file);
}

/* What the stack may need is there before memory is limited: one that cannot grow looks like a
 * wild pointer instead of memory that ran out. */
static void grow_stack(void)
{
	enum { STACK_BYTES = 1 << 20, PAGE_BYTES = 4096 };
	volatile char stack[STACK_BYTES];

	for (size_t at = 0; at < sizeof stack; at += PAGE_BYTES)
		stack[at] = 0;
}

bool confine(void)
{
	bool confined = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
			prctl(PR_SET_DUMPABLE, 0) == 0 && limit(RLIMIT_CORE, 0);

	offer_itself();
	grow_stack();
	if (!SANITIZED)
		confined = confined && limit(RLIMIT_AS, MEMORY_BYTES) &&
			   limit(RLIMIT_NOFILE, 0) && limit(RLIMIT_FSIZE, 0) &&
			   limit(RLIMIT_NPROC, 0) && filter_calls();
	if (!confined)
		fprintf(stderr, "cannot confine itself: %s\n", strerror(errno));
	return confined;
}
