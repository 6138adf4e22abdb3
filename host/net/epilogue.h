/* What a layer computes behind itself. */
#ifndef FAL_EPILOGUE_H
#define FAL_EPILOGUE_H

#include "net/plan.h"

typedef struct fal_epilogue {
    fal_view beside; /* to be added, laid out as the output; or no buffer */
    fal_activation activation;
} fal_epilogue;

/* Of layer `index`: the join and the activation that are fused with it. */
fal_epilogue fal_plan_epilogue(const fal_plan_build *build, size_t index);

#endif
