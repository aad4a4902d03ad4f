/* What Prometheus's client libraries tell about a process, under their names. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/service_health.h"

static struct metric cpu_seconds = {
	.name = "process_cpu_seconds_total",
	.kind = METRIC_COUNTER,
	.help = "CPU time used, user and system",
};
static struct metric resident_bytes = {
	.name = "process_resident_memory_bytes",
	.kind = METRIC_GAUGE,
	.help = "resident memory",
};
static struct metric open_fds = {
	.name = "process_open_fds",
	.kind = METRIC_GAUGE,
	.help = "open file descriptors",
};
static struct metric max_fds = {
	.name = "process_max_fds",
	.kind = METRIC_GAUGE,
	.help = "limit of open file descriptors",
};
static struct metric start_time_seconds = {
	.name = "process_start_time_seconds",
	.kind = METRIC_GAUGE,
	.help = "when the process started, seconds since 1970",
};

struct metric *const service_process_metrics[] = {
	&cpu_seconds, &resident_bytes, &open_fds, &max_fds, &start_time_seconds, NULL,
};

static double resident(void)
{
	unsigned long total = 0, pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	int found = fscanf(file, "%lu %lu", &total, &pages);
	fclose(file);
	return found == 2 ? (double)pages * (double)sysconf(_SC_PAGESIZE) : 0;
}

static double count_fds(void)
{
	int count = -1; /* the folder's own */
	DIR *folder = opendir("/proc/self/fd");

	if (!folder)
		return 0;
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

void service_process_register(void)
{
	metric_register(service_process_metrics);
	metric_set(&start_time_seconds, (double)clock_wall_ms() / 1000);
}

void service_process_update(void)
{
	struct rusage usage;
	struct rlimit limit;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		metric_set(&cpu_seconds, seconds(&usage.ru_utime) + seconds(&usage.ru_stime));
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		metric_set(&max_fds, (double)limit.rlim_cur);
	metric_set(&resident_bytes, resident());
	metric_set(&open_fds, count_fds());
}
