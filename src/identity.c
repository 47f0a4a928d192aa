/*
 * Frees what an identity owns. An identity is made by users.c and never changed.
 */
#include "identity.h"

#include <stdlib.h>

void identity_free(struct identity *identity)
{
	free(identity->groups);
	free(identity->name);
	free(identity->home);
	free(identity->shell);
	*identity = (struct identity){0};
}
