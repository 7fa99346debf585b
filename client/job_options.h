#ifndef BERTH_CLIENT_JOB_OPTIONS_H_
#define BERTH_CLIENT_JOB_OPTIONS_H_

// The one table of job options, for the command line and #BERTH lines alike.

#include <span>

#include "client/option.h"

namespace berth {

std::span<const Option> JobOptions();

}  // namespace berth

#endif  // BERTH_CLIENT_JOB_OPTIONS_H_
