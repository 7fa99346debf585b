#ifndef BERTH_CLIENT_EXPLANATION_TEXT_H_
#define BERTH_CLIENT_EXPLANATION_TEXT_H_

// Why a job waits, runs or ended, in words for a terminal. The texts are clean.

#include <string>

#include "absl/time/time.h"

#include "proto/client_api.pb.h"

namespace berth {

// Of a job; `verbose`: with the names of all nodes and every candidate of a recall.
std::string ExplanationText(const v1::Explanation& explanation, bool verbose, absl::Time now);
// Of a job that is not submitted; `tasks`: what stands before the shape of each, of an array.
std::string PlanText(const v1::Explanation& explanation, const std::string& name,
                     const std::string& tasks, absl::Time now);
// "another tenant claimed 2 × 8 sim within what it owns (0 of 64 in use)"
std::string ReclaimSentence(const v1::Reclaim& reclaim);

}  // namespace berth

#endif  // BERTH_CLIENT_EXPLANATION_TEXT_H_
