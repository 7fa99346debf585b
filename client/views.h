#ifndef BERTH_CLIENT_VIEWS_H_
#define BERTH_CLIENT_VIEWS_H_

// The contract's messages as people and programs see them: words, JSON items and table rows. The
// JSON is frozen; fields are only added.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "client/output.h"
#include "proto/client_api.pb.h"

namespace berth {

// "pending", "running", "timeout", ...
std::string JobStateWord(v1::JobState state);
// All states that `word` stands for; empty for an unknown word.
std::vector<v1::JobState> JobStatesOfWord(absl::string_view word);
std::vector<std::string> JobStateWords();
bool IsEnded(v1::JobState state);
// For its start.
bool IsWaiting(v1::JobState state);
// "exit", "oom", "node-fault", ...
std::string EndReasonWord(v1::EndReason reason);
std::string NodeStateWord(v1::NodeState state);
std::string RoleWord(v1::Role role);
// ROLE_UNSPECIFIED for an unknown word.
v1::Role RoleOfWord(absl::string_view word);

// "same-rack"
std::string TopologyWord(const v1::TopologyRequest& topology);
// "ok", "any", ...
std::string DependencyWord(v1::DependencyKind kind);

// As people address it: "4812", a task "4799.7", an array "4799.".
std::string JobIdText(const v1::Job& job);
// "step=12000, 4m ago"; empty: it told of none.
std::string CheckpointText(const v1::Job& job, absl::Time now);
// "40 %"; empty: the job has not told it.
std::string ProgressText(const v1::JobNotice& notice);
// Null: it told nothing.
Json NoticeJson(const v1::JobNotice& notice);
// As --array takes them: "0-99", "0-98:2", "1,3,5-7".
std::string IndexesText(const v1::ArrayStatus& array);
std::string IndexesText(const google::protobuf::RepeatedPtrField<v1::IndexRange>& ranges);
// "3 waiting, 4 done"
std::string ArrayProgressText(const v1::ArrayStatus& array);
// State and end in one: "running", "failed exit:1 r3".
std::string StateSummary(const v1::Job& job);
// The nodes of the present or last attempt, by rank.
std::vector<std::string> NodesOf(const v1::Job& job);
// Of its devices: "0,1".
std::string DeviceIndexes(const v1::Allocation& allocation);
// "2 nodes × 4 devices"
std::string ShapeText(const v1::GangSpec& gang);
// The JSON time of the contract's microseconds; null for 0.
Json TimeJson(int64_t micros);

Json JobJson(const v1::Job& job);
Json GangJson(const v1::GangSpec& gang);
Json SpecJson(const v1::JobSpec& spec);
// "node-fault", "preempt" and "error", as --requeue takes them; its exit codes apart.
std::vector<std::string> RequeueCauses(const v1::RequeuePolicy& policy);
// As --memory takes it, exactly: "64GiB", "1537MiB"; empty for 0.
std::string MemoryWord(int64_t mib);
// "requeue", "hold" or "fail".
std::string NodeLossWord(v1::NodeLossPolicy policy);
// A matrix as --matrix takes it: "lr=1e-4,3e-4", "seed=1..3".
std::vector<std::string> MatrixWords(const v1::JobSpec& spec);
// Names and values of a task; empty: it has none, or is none.
std::vector<std::pair<std::string, std::string>> ParametersOf(const v1::Job& job,
                                                              const v1::JobSpec& spec);
Json AllocationJson(const v1::Allocation& allocation);
Json NodeJson(const v1::Node& node, absl::Time now);
Json QuotaJson(const v1::QuotaRow& row);
// "owned", "borrowed" or null.
Json FundingJson(v1::Funding funding);
Json EndJson(const v1::JobEnd& end);
Json ReasonJson(const v1::Reason& reason);

Json BookingJson(const v1::Booking& booking);
Json AttemptJson(const v1::Attempt& attempt);
Json ReclaimJson(const v1::Reclaim& reclaim);
Json ExplanationJson(const v1::Explanation& explanation);

// `owners`: with the columns tenant and user.
// Filled in as far as it is printed as `kind`: a list may be long.
Listing JobListing(const std::vector<v1::Job>& jobs, bool owners, OutputKind kind, absl::Time now);
Listing AllocationListing(const std::vector<v1::Allocation>& allocations, absl::Time now);
Listing BookingListing(const std::vector<v1::Booking>& bookings, absl::Time now);
Listing NodeListing(const std::vector<v1::Node>& nodes, absl::Time now);
// `edits` are those of any rows, that take effect later.
Listing QuotaListing(const std::vector<v1::QuotaRow>& rows,
                     const std::vector<v1::QuotaEdit>& edits);

}  // namespace berth

#endif  // BERTH_CLIENT_VIEWS_H_
