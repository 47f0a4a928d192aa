#ifndef PREFORKD_SAFE_PATH_H
#define PREFORKD_SAFE_PATH_H
/*
 * The way to a folder in which a privileged supervisor opens files, where others may have laid it.
 * Part of safe_file.c. Floor 1.
 */

struct errmsg;

/* Opens the folder (O_PATH). A symbolic link on the way that neither root nor we made is followed
 * only to a folder of the user who made it: such a link leads nobody to where that user could not
 * have put a file himself. -1 with the reason, which does not
 * name the path, and errno (EPERM: such a link). */
int safe_path_open_folder(const char *path, struct errmsg *err);

#endif
