#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

/*
 * Gives back what only starting needed: free heap, and the pages of programs and libraries,
 * which are the kernel's copies of files. What still runs is mapped again as it runs, at some
 * microseconds for each 64 KiB. Any thread may call it, at any time; best once, when all is up.
 */
void memory_settle(void);

#endif
