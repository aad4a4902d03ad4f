#ifndef BASE_FILE_STAMP_H
#define BASE_FILE_STAMP_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

/* What a file was when it was read: a renewed one differs, whoever wrote it and how. Taken
 * before the file is read, so that a change meanwhile is seen the next time. */
struct file_stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec written, changed;
};

/* Follows links. False, and a zeroed stamp, when the file cannot be looked at. */
bool file_stamp_take(const char *path, struct file_stamp *ret_stamp);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

#endif
