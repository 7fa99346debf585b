#ifndef BERTH_SCHEDULER_CORE_NODE_REQUESTS_H_
#define BERTH_SCHEDULER_CORE_NODE_REQUESTS_H_

// What operators ask about nodes. Refused requests change nothing.

#include "absl/status/statusor.h"

#include "scheduler/core/event.h"
#include "scheduler/core/step.h"

namespace berth {

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const DrainNode& request);
// Ends a quarantine, too.
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const UndrainNode& request);
// Rule (e): an operator's word releases what is on the node. FailedPrecondition while its agent is
// heard of.
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const ConfirmNodeDead& request);
// Rule (d): a fence that succeeded does. FailedPrecondition if the node was heard of since the
// fence began. A failure is shown at the node.
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const NoteFence& request);
// Declares nodes lost that are held because many fell silent at once.
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const EndLossHold& request);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_NODE_REQUESTS_H_
