#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/commands/resubmission.h"
#include "client/device_use.h"
#include "client/exit_codes.h"
#include "client/explanation_text.h"
#include "client/job_ids.h"
#include "client/node_list.h"
#include "client/spec_file.h"
#include "client/text.h"
#include "client/views.h"
#include "common/error_detail.h"
#include "common/quantity.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr absl::string_view kSpecificationIsHidden = "B7208";

constexpr Option kShowOptions[] = {
    Flag("attempts", "the allocations of all attempts, not only the last"),
    Flag("spec", "its specification as a file that `berth submit` takes"),
};

std::string AllocationText(const v1::Job& job, const v1::Allocation& allocation) {
  const std::string devices = absl::StrJoin(
      allocation.devices(), ",", [](std::string* out, const v1::DeviceAssignment& device) {
        absl::StrAppend(out, device.index());
      });
  const std::string device_class =
      allocation.devices_size() == 0 ? "" : allocation.devices(0).device_class();
  const std::string attempt = allocation.attempt() == job.attempt()
                                  ? ""
                                  : absl::StrCat("attempt ", allocation.attempt(), ", ");
  return absl::StrCat(attempt, "rank ", allocation.rank(), " on ", allocation.node(),
                      devices.empty() ? "" : ", devices ", devices, device_class.empty() ? "" : " ",
                      device_class, ", ", allocation.state());
}

// A word as a shell reads it.
std::string ShellWord(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("_-./:=,@%+", absl::string_view(&c, 1));
  });
  return plain ? word
               : absl::StrCat("'",
                              absl::StrReplaceAll(word,
                                                  {
                                                      {"'", "'\\''"}
  }),
                              "'");
}

std::string CommandText(const v1::JobSpec& spec) {
  std::vector<std::string> words(spec.command_size());
  std::transform(spec.command().begin(), spec.command().end(), words.begin(), ShellWord);
  if (!spec.script().empty()) {
    words.insert(words.begin(), absl::StrCat("a script of ", spec.script().size(), " bytes"));
  }
  return absl::StrJoin(words, " ");
}

std::string LengthText(int64_t length_ms) {
  return length_ms == 0 ? "" : berth::FormatDuration(absl::Milliseconds(length_ms));
}

using Facts = std::vector<std::pair<std::string, std::string>>;

std::string MomentText(int64_t micros, absl::Time now) {
  return micros == 0 ? std::string() : TimeForPeople(TimeFromMicros(micros), now);
}

std::string FundingText(v1::Funding funding) {
  if (funding == v1::FUNDING_UNSPECIFIED) {
    return "";
  }
  return funding == v1::FUNDING_OWNED ? "owned" : "borrowed: may be recalled";
}

// What it waits for, and how far its tasks are.
void AddPlace(const v1::Job& job, absl::Time now, Facts& facts) {
  if (job.has_array()) {
    const v1::ArrayStatus& array = job.array();
    facts.emplace_back(
        "array",
        absl::StrCat(
            array.count(), array.count() == 1 ? " task, " : " tasks, ", IndexesText(array),
            array.concurrent_max() > 0 ? absl::StrCat(", ", array.concurrent_max(), " at a time")
                                       : "",
            array.fails_max() > 0 ? absl::StrCat(", until ", array.fails_max(), " have failed")
                                  : "",
            ": ", array.live(), " live, ", array.succeeded(), " succeeded, ", array.failed(),
            " failed, ", array.cancelled(), " cancelled"));
    const std::string unstarted = IndexesText(array.cancelled_unstarted());
    facts.emplace_back("cancelled",
                       unstarted.empty() ? "" : absl::StrCat(unstarted, ", before they started"));
  }
  if (job.array_id() != 0) {
    facts.emplace_back("task", absl::StrCat(job.array_index(), " of array ", job.array_id()));
  }
  for (const v1::Dependency& dependency : job.dependencies()) {
    facts.emplace_back("after",
                       absl::StrCat(DependencyWord(dependency.kind()), ":", dependency.job_id()));
  }
  facts.emplace_back("begin", MomentText(job.begin_time_us(), now));
  if (job.gang().topology().level() != v1::TopologyRequest::LEVEL_NONE) {
    facts.emplace_back(
        "topology", absl::StrCat(TopologyWord(job.gang().topology()),
                                 job.gang().topology().required() ? ", required" : ", preferred"));
  }
  facts.emplace_back("checkpoint", CheckpointText(job, now));
  facts.emplace_back("progress", ProgressText(job.notice()));
  const auto utilization = MeanUtilization(job);
  facts.emplace_back("utilization", utilization.has_value() ? PercentText(utilization) : "");
  facts.emplace_back("notice", job.notice().text().empty()
                                   ? ""
                                   : absl::StrCat(job.notice().text(), ", ",
                                                  MomentText(job.notice().at_us(), now)));
}

// What is asked of the nodes, where it is more than their shape.
void AddNeeds(const v1::GangSpec& gang, Facts& facts) {
  if (gang.per_node().cpu_milli() != 0) {
    facts.emplace_back("cores",
                       absl::StrFormat("%g on each node", gang.per_node().cpu_milli() / 1000.0));
  }
  if (gang.per_node().memory_mib() != 0) {
    facts.emplace_back(
        "memory", absl::StrCat(FormatSize(gang.per_node().memory_mib() << 20), " on each node"));
  }
  for (const auto& [key, value] :
       std::map<std::string, std::string>(gang.node_labels().begin(), gang.node_labels().end())) {
    facts.emplace_back("label", absl::StrCat(key, "=", value));
  }
  facts.emplace_back("not on",
                     FoldNodes({gang.excluded_nodes().begin(), gang.excluded_nodes().end()}));
}

std::string RequeueText(const v1::RequeuePolicy& policy) {
  std::vector<std::string> causes = RequeueCauses(policy);
  for (const int32_t code : policy.exit_codes()) {
    causes.push_back(absl::StrCat("exit ", code));
  }
  return causes.empty() ? "never"
                        : absl::StrCat("after ", absl::StrJoin(causes, ", "), "; at most ",
                                       policy.max_requeues(), " times");
}

// What the tasks of an array are given, and this one of it.
void AddParameters(const v1::Job& job, const v1::JobSpec& spec, Facts& facts) {
  std::vector<std::string> words;
  for (const auto& [name, value] : ParametersOf(job, spec)) {
    words.push_back(ShellWord(absl::StrCat(name, "=", value)));
  }
  facts.emplace_back("parameters", absl::StrJoin(words, " "));
  words = MatrixWords(spec);
  std::transform(words.begin(), words.end(), words.begin(), ShellWord);
  facts.emplace_back("matrix", job.has_array() ? absl::StrJoin(words, " ") : "");
}

// How it is run, and when again.
void AddManner(const v1::Job& job, const v1::JobSpec& spec, Facts& facts) {
  facts.emplace_back("launch", spec.launch() == v1::LAUNCH_MODE_DEVICE ? "once per device" : "");
  facts.emplace_back("image", spec.image());
  facts.emplace_back("borrows", job.no_borrow() ? "no" : "");
  facts.emplace_back("recalled", job.not_preemptible() ? "never" : "");
  facts.emplace_back("requeue", spec.has_requeue() ? RequeueText(spec.requeue()) : "");
}

std::string ShowForPeople(const v1::Job& job, const v1::JobSpec& spec, absl::Time now) {
  Facts facts;
  facts.emplace_back("job", absl::StrCat(JobIdText(job), " ", job.name()));
  facts.emplace_back("owner", absl::StrCat(job.tenant(), "/", job.project(), ", ", job.user()));
  facts.emplace_back(
      "state",
      absl::StrCat(StateSummary(job),
                   job.cancel_requested() && !IsEnded(job.state()) ? " (cancel asked)" : ""));
  facts.emplace_back("reason",
                     job.reason().message().empty()
                         ? ""
                         : absl::StrCat(job.reason().code(), " ", job.reason().message()));
  facts.emplace_back("end", job.has_end() ? job.end().message() : "");
  facts.emplace_back("shape", ShapeText(job.gang()));
  facts.emplace_back("funding", FundingText(job.funding()));
  facts.emplace_back("attempt", absl::StrCat(job.attempt()));
  AddPlace(job, now, facts);
  AddParameters(job, spec, facts);
  facts.emplace_back("submitted", MomentText(job.submitted_at_us(), now));
  facts.emplace_back("started", MomentText(job.started_at_us(), now));
  facts.emplace_back("ended", MomentText(job.ended_at_us(), now));
  facts.emplace_back("time limit", LengthText(job.time_limit_ms()));
  facts.emplace_back("idle limit", spec.idle_ms() == 0 ? ""
                                                       : absl::StrCat(LengthText(spec.idle_ms()),
                                                                      " without input or output"));
  facts.emplace_back("grace", LengthText(job.grace_ms()));
  facts.emplace_back("priority", absl::StrCat(job.priority()));
  AddNeeds(job.gang(), facts);
  AddManner(job, spec, facts);
  facts.emplace_back("command", CommandText(spec));
  facts.emplace_back("standard input", spec.open_stdin() ? "what berth attach passes in" : "");
  facts.emplace_back("folder", spec.workdir_sha256().empty() ? spec.working_directory()
                                                             : "a copy of an uploaded one");
  facts.emplace_back(
      "disk limit",
      spec.disk_mib() == 0 ? "" : absl::StrCat(FormatSize(spec.disk_mib() << 20), " on each node"));
  facts.emplace_back("comment", spec.comment());
  for (const v1::Allocation& allocation : job.allocations()) {
    facts.emplace_back("allocation", AllocationText(job, allocation));
  }
  for (const v1::Reclaim& reclaim : job.reclaims()) {
    facts.emplace_back("recall", ReclaimSentence(reclaim));
  }
  for (const std::string& note : job.notes()) {
    facts.emplace_back("note", note);
  }
  return RenderFacts(facts);
}

void AddPast(const v1::Job& job, Json& json) {
  json["attempts"] = Json::array();
  for (const v1::Attempt& attempt : job.attempts()) {
    json["attempts"].push_back(AttemptJson(attempt));
  }
  json["reclaims"] = Json::array();
  for (const v1::Reclaim& reclaim : job.reclaims()) {
    json["reclaims"].push_back(ReclaimJson(reclaim));
  }
}

// An auditor sees everything of a job but what it runs: the answer has no specification then.
absl::StatusOr<v1::GetJobResponse> GetAllOfJob(ApiClient& api, v1::GetJobRequest request) {
  request.set_with_spec(true);
  const auto whole = api.GetJob(request);
  const auto detail = FindDetail(whole.status());
  if (whole.ok() || !detail.has_value() || detail->code != kSpecificationIsHidden) {
    return whole;
  }
  request.set_with_spec(false);
  return api.GetJob(request);
}

absl::StatusOr<int> ShowSpec(Context& context, ApiClient& api, uint64_t job_id) {
  v1::GetJobRequest request;
  request.set_job_id(job_id);
  request.set_with_spec(true);
  ASSIGN_OR_RETURN(const v1::GetJobResponse response, api.GetJob(request));
  ASSIGN_OR_RETURN(const v1::JobSpec spec, SpecOfKnown(response));
  context.console.Out(FormatSpecFile(spec, absl::Now()));
  return kExitDone;
}

absl::StatusOr<int> RunShow(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1, "the job, e.g. `berth show 4812`"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const uint64_t id, FindJobId(*api, context.arguments.words[0]));
  if (context.arguments.Has("spec")) {
    return ShowSpec(context, *api, id);
  }
  v1::GetJobRequest request;
  request.set_job_id(id);
  request.set_all_attempts(context.arguments.Has("attempts"));
  request.set_with_reclaims(true);
  request.set_with_samples(true);
  ASSIGN_OR_RETURN(const v1::GetJobResponse response, GetAllOfJob(*api, std::move(request)));
  if (context.output.for_people()) {
    context.console.Out(ShowForPeople(response.job(), response.spec(), absl::Now()));
    return kExitDone;
  }
  Listing listing = JobListing({response.job()}, true, context.output.kind, absl::Now());
  listing.rows[0].json["spec"] = response.has_spec() ? SpecJson(response.spec()) : Json();
  Json& parameters = listing.rows[0].json["parameters"];
  for (const auto& [name, value] : ParametersOf(response.job(), response.spec())) {
    parameters[name] = value;
  }
  const auto utilization = MeanUtilization(response.job());
  listing.rows[0].json["utilization_percent"] =
      utilization.has_value() ? Json(*utilization) : Json();
  AddPast(response.job(), listing.rows[0].json);
  RETURN_IF_ERROR(context.Print(listing));
  return kExitDone;
}

}  // namespace

const Command kShowCommand = {
    .name = "show",
    .plural = nullptr,
    .group = CommandGroup::kWatch,
    .summary = "everything about one job",
    .usage = "JOB [OPTIONS]",
    .examples =
        "berth show 4812\n"
        "berth show @llm7b-sft --attempts -o json\n"
        "berth show last --spec > job.json; berth submit job.json\n",
    .options = kShowOptions,
    .takes_job_options = false,
    .run = RunShow,
};

}  // namespace berth
