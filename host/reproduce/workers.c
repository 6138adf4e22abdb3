#include "reproduce/workers.h"
#include "cli/live.h"
#include "cli/output.h"
#include "device/error.h"
#include "train/run_files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGE = 2048, IDLE = -1 };

static const double share_pause = 0.1; /* between two news of one part */

/* What a worker says; so short that a pipe takes it as a whole. */
struct news {
    size_t worker;
    int done;          /* 0: the part goes on */
    fal_status status; /* of the part */
    double share, seconds;
    char message[MESSAGE];
};

struct worker {
    pid_t process; /* 0: it has ended */
    int work;      /* where it reads numbers of parts */
    long part;     /* that it runs, IDLE: none */
    double share;  /* of it */
};

struct crew {
    fal_study *study;
    fal_run *folder;
    fal_meter *meter;
    struct worker workers[FAL_WORKERS];
    size_t count, next; /* part to look at for handing out */
    int news[2];
    pid_t parent;
};

/* ---- a worker ------------------------------------------------------------ */

struct self {
    struct crew *crew;
    size_t number;
    double told;
};

/* Nobody hears: the parent is gone. */
static void tell(const struct self *self, const struct news *news)
{
    if (write(self->crew->news[1], news, sizeof *news) != (ssize_t)sizeof *news)
        _exit(1);
}

static void on_share(double share, void *user)
{
    struct self *self = user;
    double now = cli_clock();
    if (now - self->told < share_pause)
        return;
    self->told = now;
    tell(self, &(struct news){.worker = self->number, .share = share});
}

static void run_part(const struct self *self, long number)
{
    fal_study *study = self->crew->study;
    const fal_part *part = &study->parts.list[number];
    struct news news = {.worker = self->number, .done = 1};
    cJSON *result = NULL;
    double began = cli_clock();
    news.status = fal_study_run(study, part, &result);
    if (!news.status)
        news.status = fal_store_save(self->crew->folder, part, result);
    cJSON_Delete(result);
    news.seconds = cli_clock() - began;
    if (news.status)
        snprintf(news.message, sizeof news.message, "%s", fal_error_message());
    tell(self, &news);
}

/* It ends with its parent, whatever ended that. */
static void follow(pid_t parent)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != parent)
        _exit(1);
}

/* The ends of the others' pipes must not stay open here: a worker whose parent died
 * would wait for ever. */
static void close_others(const struct crew *crew, size_t number)
{
    close(crew->news[0]);
    for (size_t i = 0; i <= number; i++)
        close(crew->workers[i].work);
}

static _Noreturn void be_worker(struct crew *crew, size_t number, int work,
                                size_t threads)
{
    struct self self = {crew, number, 0};
    char text[32];
    long part;
    follow(crew->parent);
    close_others(crew, number);
    snprintf(text, sizeof text, "%zu", threads);
    if (threads > 0)
        setenv("POCL_MAX_PTHREAD_COUNT", text, 0);
    crew->study->on_share = on_share;
    crew->study->user = &self;
    crew->study->silent = 1;
    while (read(work, &part, sizeof part) == (ssize_t)sizeof part)
        run_part(&self, part);
    _exit(0);
}

/* ---- starting and ending ------------------------------------------------- */

static fal_status fail_start(const char *what)
{
    return fal_fail(FAL_ERROR_DEVICE,
                    "starting processes for parts: %s: %s; try --jobs 1", what,
                    strerror(errno));
}

static fal_status start_worker(struct crew *crew, size_t number, size_t threads)
{
    int work[2];
    if (pipe(work) != 0)
        return fail_start("pipe");
    struct worker *worker = &crew->workers[number];
    *worker = (struct worker){.work = work[1], .part = IDLE};
    fflush(NULL);
    pid_t process = fork();
    if (process == 0)
        be_worker(crew, number, work[0], threads);
    close(work[0]);
    crew->count = number + 1;
    if (process < 0)
        return fail_start("fork");
    worker->process = process;
    return FAL_OK;
}

static void end_workers(struct crew *crew, int at_once)
{
    for (size_t i = 0; i < crew->count; i++) {
        close(crew->workers[i].work);
        if (at_once && crew->workers[i].process > 0)
            kill(crew->workers[i].process, SIGKILL);
    }
    for (size_t i = 0; i < crew->count; i++)
        if (crew->workers[i].process > 0)
            waitpid(crew->workers[i].process, NULL, 0);
}

/* ---- handing out --------------------------------------------------------- */

/* The next part without a result, IDLE: none. */
static long next_part(struct crew *crew)
{
    const fal_parts *parts = &crew->study->parts;
    while (crew->next < parts->count && parts->results[crew->next])
        crew->next++;
    return crew->next < parts->count ? (long)crew->next++ : IDLE;
}

static int hand_out(struct crew *crew)
{
    int running = 0;
    for (size_t i = 0; i < crew->count; i++) {
        struct worker *worker = &crew->workers[i];
        if (worker->part == IDLE) {
            worker->part = next_part(crew);
            worker->share = 0;
            if (worker->part != IDLE &&
                write(worker->work, &worker->part, sizeof worker->part) < 0)
                worker->part = IDLE; /* it has ended, as is about to be seen */
        }
        running += worker->part != IDLE;
    }
    return running;
}

/* ---- news ---------------------------------------------------------------- */

static void show(struct crew *crew, const char *key)
{
    double seconds = 0;
    for (size_t i = 0; i < crew->count; i++)
        if (crew->workers[i].part != IDLE)
            seconds += crew->workers[i].share *
                       crew->study->parts.list[crew->workers[i].part].seconds;
    fal_meter_move(crew->meter, key, seconds);
}

static fal_status take_news(struct crew *crew, const struct news *news)
{
    struct worker *worker = &crew->workers[news->worker];
    const fal_part *part = &crew->study->parts.list[worker->part];
    if (!news->done) {
        worker->share = news->share;
        show(crew, part->key);
        return FAL_OK;
    }
    if (news->status)
        return fal_fail(news->status, "%s", news->message);
    fal_status status = fal_store_take(crew->folder, crew->study,
                                       (size_t)worker->part);
    worker->part = IDLE;
    worker->share = 0;
    if (!status) {
        show(crew, part->key);
        fal_meter_part(crew->meter, part, news->seconds);
    }
    return status;
}

/* One that was killed, or whose driver crashed, says nothing. */
static fal_status look_for_dead(struct crew *crew)
{
    for (size_t i = 0; i < crew->count; i++) {
        struct worker *worker = &crew->workers[i];
        int state = 0;
        if (waitpid(worker->process, &state, WNOHANG) != worker->process)
            continue;
        worker->process = 0;
        const char *key = worker->part == IDLE
                              ? ""
                              : crew->study->parts.list[worker->part].key;
        return fal_fail(FAL_ERROR_DEVICE,
                        "part %s: its process ended, %s %d; is there memory for "
                        "so many? fewer --jobs take less",
                        key, WIFSIGNALED(state) ? "by signal" : "with code",
                        WIFSIGNALED(state) ? WTERMSIG(state) : WEXITSTATUS(state));
    }
    return FAL_OK;
}

static fal_status wait_for_news(struct crew *crew)
{
    struct pollfd from = {.fd = crew->news[0], .events = POLLIN};
    struct news news;
    if (poll(&from, 1, 100) <= 0)
        return look_for_dead(crew);
    if (read(crew->news[0], &news, sizeof news) != (ssize_t)sizeof news)
        return look_for_dead(crew);
    return take_news(crew, &news);
}

/* ---- all ----------------------------------------------------------------- */

static fal_status run(struct crew *crew, size_t count, size_t threads)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < count && !status; i++)
        status = start_worker(crew, i, threads);
    while (!status && hand_out(crew) > 0)
        status = cli_interrupted() || cli_broken() ? FAL_STOPPED
                                                   : wait_for_news(crew);
    return status;
}

fal_status fal_workers_run(fal_study *study, fal_run *folder, size_t count,
                           size_t threads, fal_meter *meter)
{
    struct crew crew = {
        .study = study, .folder = folder, .meter = meter, .parent = getpid()};
    if (pipe(crew.news) != 0)
        return fail_start("pipe");
    fal_status status = run(&crew, count, threads);
    end_workers(&crew, status != FAL_OK);
    close(crew.news[0]);
    close(crew.news[1]);
    if (status)
        fal_run_files_sweep(fal_run_folder(folder)); /* what they were writing */
    return status;
}
