/* The one place where the library reads the environment. */
#ifndef FAL_ENVIRONMENT_H
#define FAL_ENVIRONMENT_H

/* The value of a variable, NULL where it is unset or empty. */
const char *fal_environment(const char *name);

#endif
