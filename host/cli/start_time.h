/* How long the process has been running. */
#ifndef CLI_START_TIME_H
#define CLI_START_TIME_H

/* Milliseconds since the process began, by /proc/self/stat (to a hundredth of a
 * second); NAN where that cannot be read. */
double cli_process_ms(void);

#endif
