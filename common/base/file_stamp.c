#include "base/file_stamp.h"

#include <sys/stat.h>

bool file_stamp_take(const char *path, struct file_stamp *ret_stamp)
{
	struct stat now = { 0 };
	bool seen = stat(path, &now) == 0;

	*ret_stamp = (struct file_stamp){ now.st_dev, now.st_ino, now.st_size, now.st_mtim,
					  now.st_ctim };
	return seen;
}

static bool time_equal(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       time_equal(&a->written, &b->written) && time_equal(&a->changed, &b->changed);
}
