/* A folder for one test program, and its end. */
#ifndef ROIBENCH_TESTS_TEMP_FOLDER_H
#define ROIBENCH_TESTS_TEMP_FOLDER_H

#include <stddef.h>

/* A new empty folder; to be given to temp_folder_remove, which frees the name too. Aborts when there is none. */
char *temp_folder_make(void);
void temp_folder_remove(char *folder);

/* <folder>/<name> with these bytes. */
void temp_file_write(const char *folder, const char *name, const void *bytes, size_t length);
/* Its bytes; free() them. Aborts when it cannot be read. */
char *temp_file_read(const char *folder, const char *name, size_t *length);

#endif
