#ifndef NORMALIZE_FILE_PATH_H
#define NORMALIZE_FILE_PATH_H

struct arena;

/* "\\?\C:\x", "/C:/x" and "file:///C%3A/x" all mean a path of Windows: without what is in front
 * of the drive, and decoded where it is an URL. Slashes stay as they are. NULL when nothing is
 * left. */
const char *file_path_plain(const char *path, struct arena *arena);

#endif
