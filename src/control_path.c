/*
 * The kernel takes 107 bytes of a path; a longer one is named by way of its folder's descriptor.
 * A short one stays as it is, since ss(8) and lsof(8) show it.
 */
#include "control_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "errmsg.h"
#include "safe_file.h"

int control_path_open(struct control_path *where, const char *path, struct errmsg *err)
{
	int length;

	*where = (struct control_path){.address.sun_family = AF_UNIX};
	where->dir_fd = safe_file_open_parent(path, &where->name, err);
	if (where->dir_fd < 0)
		return -1;
	length = snprintf(where->address.sun_path, sizeof(where->address.sun_path), "%s", path);
	if ((size_t)length >= sizeof(where->address.sun_path))
		length = snprintf(where->address.sun_path, sizeof(where->address.sun_path),
			"/proc/self/fd/%d/%s", where->dir_fd, where->name);
	if ((size_t)length < sizeof(where->address.sun_path))
		return 0;
	control_path_close(where);
	errno = ENAMETOOLONG;
	return errmsg_errno(err, "%s", path);
}

void control_path_close(struct control_path *where)
{
	if (where->dir_fd >= 0)
		close(where->dir_fd);
	where->dir_fd = -1;
}
