/* A disk without room, for tests linked with disk.c and the linker's --wrap: what
 * takes room can be made to fail. These are write, fsync, close, rename, mkdir and
 * open where it may make a file, each counted as one call. */
#ifndef DISK_H
#define DISK_H

/* The n-th such call from now (1 is the next) fails once; 0: none does. */
void disk_fail_at(long n);

/* It and all after it fail, until the next disk_fail_at; a write that is the first to
 * fail still finds room for half of its bytes. */
void disk_full_at(long n);

/* Calls that failed since the last of these two. */
long disk_failures(void);

/* The first of them: "write", "fsync", …; NULL: none. */
const char *disk_failed(void);

#endif
