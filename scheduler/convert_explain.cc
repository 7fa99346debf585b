// Explanations, as far as the asker may see.

#include <string>

#include "absl/strings/str_cat.h"

#include "common/quantity.h"
#include "scheduler/convert.h"
#include "scheduler/convert_enums.h"
#include "scheduler/convert_names.h"

namespace berth {
namespace {

v1::Explanation::Verdict VerdictOf(const Explanation& explanation) {
  // An array holds nothing itself: it runs once all its tasks have started.
  if (explanation.holding.has_value() || IsActive(explanation.state)) {
    return v1::Explanation::VERDICT_RUNS;
  }
  if (explanation.starts_now) {
    return v1::Explanation::VERDICT_STARTS_NOW;
  }
  return explanation.blockers.empty() ? v1::Explanation::VERDICT_NEVER
                                      : v1::Explanation::VERDICT_WAITS;
}

void AddBlockers(const Explanation& explanation, v1::Explanation& message) {
  for (const ExplainedBlocker& blocker : explanation.blockers) {
    v1::Reason& reason = *message.add_blockers();
    reason.set_code(std::string(Code(blocker.blocker.code)));
    reason.set_name(std::string(Name(blocker.blocker.code)));
    reason.set_message(blocker.sentence);
  }
  for (const std::string& note : explanation.notes) {
    message.add_notes()->set_message(note);
  }
  if (!explanation.doing.empty()) {
    message.add_notes()->set_message(explanation.doing);
  }
}

void AddParts(const Explanation& explanation, const Cluster& cluster, v1::Explanation& message) {
  for (const NodePart& part : explanation.parts) {
    v1::Explanation::NodeGroup& group = *message.add_node_groups();
    group.set_count(static_cast<int32_t>(part.nodes));
    if (part.standing != NodeStanding::kFree) {
      group.mutable_reason()->set_name(std::string(Name(part.standing)));
      group.mutable_reason()->set_message(absl::StrCat(
          Name(part.standing),
          part.free_devices == 0 ? "" : absl::StrCat(" (", part.free_devices, " devices free)")));
    }
    for (const NodePart::Named& named : part.named) {
      group.add_nodes(NodeName(named.node, cluster));
    }
  }
}

void AddForecast(const Forecast& forecast, const Actor& actor, const Cluster& cluster,
                 v1::Explanation& message) {
  if (forecast.state == ForecastState::kUnknown) {
    return;
  }
  message.set_start_latest_us(Micros(forecast.latest));
  message.set_start_likely_us(Micros(forecast.likely_from));
  message.set_start_likely_to_us(Micros(forecast.likely_to));
  message.set_funding(SameEnum<v1::Funding>(forecast.funding));
  for (const NodeId node : forecast.nodes) {
    message.add_start_nodes(NodeName(node, cluster));
  }
  for (const AwaitedEnd& awaited : forecast.waits_for) {
    v1::Explanation::Awaited& out = *message.add_waits_for();
    if (actor.MaySee(awaited.tenant)) {
      out.set_job_id(awaited.job.value());
    }
    for (const NodeId node : awaited.nodes) {
      out.add_nodes(NodeName(node, cluster));
    }
    out.set_by_us(Micros(awaited.by));
    out.set_recalled(awaited.recalled);
  }
}

std::string PromiseText(const Promise& promise, absl::Time as_of) {
  const char* const borrowed =
      promise.funding == Funding::kBorrowed ? ", on borrowed devices: it may be recalled" : "";
  switch (promise.verdict) {
    case Verdict::kStartsNow:
      return absl::StrCat("starts now", borrowed);
    case Verdict::kStartsBy:
      return absl::StrCat("starts within ",
                          berth::FormatDuration(absl::Ceil(promise.by - as_of, absl::Seconds(1))),
                          borrowed);
    case Verdict::kUnknown:
      return absl::StrCat("starts later", borrowed);
  }
  return "";
}

void AddAdvice(const Explanation& explanation, v1::Explanation& message) {
  for (const Advice& advice : explanation.advice) {
    v1::Explanation::Advice& out = *message.add_advice();
    out.set_option(advice.option);
    out.set_verdict(PromiseText(advice.promise, explanation.as_of));
    out.set_would_be(advice.promise.verdict == Verdict::kStartsNow
                         ? v1::Explanation::VERDICT_STARTS_NOW
                         : v1::Explanation::VERDICT_WAITS);
  }
}

}  // namespace

void FillExplanation(const Explanation& explanation, const Actor& actor, const Cluster& cluster,
                     v1::Explanation& message) {
  message.set_verdict(VerdictOf(explanation));
  message.set_as_of_us(Micros(explanation.as_of));
  AddBlockers(explanation, message);
  AddParts(explanation, cluster, message);
  AddForecast(explanation.forecast, actor, cluster, message);
  AddAdvice(explanation, message);
  if (!explanation.holding.has_value()) {
    message.set_jobs_ahead(static_cast<int32_t>(explanation.ahead.jobs));
    return;
  }
  message.set_funding(SameEnum<v1::Funding>(explanation.holding->funding));
  message.set_start_latest_us(0);
}

}  // namespace berth
