#include "cli/commands.h"

#include <signal.h>

/* Some libraries start threads as soon as they are loaded, as OpenBLAS does. Theirs
 * would take a Ctrl-C that the tool means to catch, and end the process: so all signals
 * are blocked before any library begins, in those threads for good. */
#ifdef __ELF__
static sigset_t all, before;

__attribute__((no_sanitize("address", "undefined"))) static void block_signals(void)
{
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const early)(void) = block_signals;

static void unblock_signals(void)
{
    sigprocmask(SIG_SETMASK, &before, NULL);
}
#else
static void unblock_signals(void)
{
}
#endif

int main(int count, char **words)
{
    unblock_signals();
    return cli_main(count, words);
}
