/* JSON lines on the disk. */
#include "export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

enum { TEXT_MAX = 1 << 30 };

static bool write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, text, size);

		if (written < 0 && errno != EINTR)
			return false;
		if (written > 0) {
			text += written;
			size -= (size_t)written;
		}
	}
	return true;
}

/* All or nothing: what did not get onto the disk as a whole is taken back. */
static bool write_rows(int fd, const json_t *rows, bool new_line)
{
	off_t end = lseek(fd, 0, SEEK_END);
	struct buf text;
	const json_t *row;
	size_t i;

	buf_init(&text, TEXT_MAX);
	if (new_line)
		buf_adds(&text, "\n");
	json_array_foreach(rows, i, row)
	{
		char *line = json_dumps(row, JSON_COMPACT);

		buf_adds(&text, line ? line : "{}");
		buf_adds(&text, "\n");
		free(line);
	}
	bool good = write_all(fd, buf_text(&text), text.size) && fsync(fd) == 0;
	int why = errno;

	buf_done(&text);
	if (!good && end >= 0 && ftruncate(fd, end) < 0)
		why = errno;
	errno = why;
	return good;
}

static bool finish(int fd, const char *path, bool good, struct err *err)
{
	if (!good)
		err_fill(err, ERR_PERMANENT, "cannot write %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return good;
}

bool export_write(const char *path, const json_t *rows, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return finish(fd, path, fd >= 0 && write_rows(fd, rows, false), err);
}

static bool ends_in_a_line(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char last = '\n';

	return end <= 0 || (pread(fd, &last, 1, end - 1) == 1 && last == '\n');
}

bool export_append(const char *folder, const char *name, uint64_t day_ms, const json_t *rows,
		   struct err *err)
{
	time_t seconds = (time_t)(day_ms / 1000);
	struct tm day;
	struct buf path;
	char date[16];

	gmtime_r(&seconds, &day);
	strftime(date, sizeof date, "%Y-%m-%d", &day);
	buf_init(&path, 4096);
	buf_addf(&path, "%s/%s-%s.jsonl", folder, name, date);
	int fd = open(buf_text(&path), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	bool good = fd >= 0 && write_rows(fd, rows, !ends_in_a_line(fd));

	good = finish(fd, buf_text(&path), good, err);
	buf_done(&path);
	return good;
}
