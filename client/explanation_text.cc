#include "client/explanation_text.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

#include "client/node_list.h"
#include "client/text.h"
#include "client/views.h"
#include "common/quantity.h"

namespace berth {
namespace {

constexpr int kTitleCells = 16;
constexpr size_t kNodesShownMax = 12;
constexpr int kCandidatesShownMax = 6;

// A paragraph's first line: "AHEAD OF YOU    nobody"
std::string Line(const std::string& title, const std::string& text) {
  return absl::StrCat(PadToWidth(title, kTitleCells, false), CleanText(text), "\n");
}

std::string Length(int64_t milliseconds) {
  return LengthForPeople(absl::Milliseconds(milliseconds));
}

std::string Moment(int64_t micros, absl::Time now) {
  return TimeForPeople(TimeFromMicros(micros), now);
}

std::string NodeText(const google::protobuf::RepeatedPtrField<std::string>& nodes, bool all) {
  std::vector<std::string> names(nodes.begin(), nodes.end());
  const size_t hidden = all || names.size() <= kNodesShownMax ? 0 : names.size() - kNodesShownMax;
  names.resize(names.size() - hidden);
  return absl::StrCat(FoldNodes(std::move(names)),
                      hidden == 0 ? "" : absl::StrCat(" and ", hidden, " more"));
}

std::string ReasonLines(const google::protobuf::RepeatedPtrField<v1::Reason>& reasons) {
  std::string text;
  int number = 0;
  for (const v1::Reason& reason : reasons) {
    if (reason.code().empty()) {
      absl::StrAppend(&text, "    ", CleanText(reason.message()), "\n");
      continue;
    }
    absl::StrAppend(&text, " ", ++number, "  ", CleanText(reason.code()), " ",
                    PadToWidth(CleanText(reason.name()), kTitleCells, false), " ",
                    CleanText(reason.message()), "\n");
  }
  return text;
}

std::string EndText(const v1::JobEnd& end) {
  std::string text = EndReasonWord(end.reason());
  if (end.reason() == v1::END_REASON_EXIT || end.reason() == v1::END_REASON_LAUNCH_ERROR) {
    absl::StrAppend(&text, ":", end.exit_code());
  } else if (end.reason() == v1::END_REASON_SIGNAL) {
    absl::StrAppend(&text, ":", end.signal());
  }
  if (end.message().empty()) {
    return text;
  }
  // "cancelled by wei" says that it was cancelled, and "time limit" nothing more than the reason.
  return absl::StartsWith(absl::StrReplaceAll(end.message(),
                                              {
                                                  {" ", "-"}
  }),
                          text)
             ? end.message()
             : absl::StrCat(text, ", ", end.message());
}

// The node of a failed rank, where the allocations tell it.
std::string NodeOfRank(const v1::Job& job, int32_t rank) {
  for (const v1::Allocation& allocation : job.allocations()) {
    if (allocation.rank() == rank) {
      return absl::StrCat(" on ", allocation.node());
    }
  }
  return "";
}

std::string CandidateLine(const v1::ReclaimCandidate& candidate) {
  const std::string who = candidate.job_id() == 0
                              ? candidate.tenant()
                              : absl::StrCat("job ", candidate.job_id(), "#", candidate.attempt(),
                                             " of ", candidate.tenant());
  return absl::StrCat("      ", candidate.chosen() ? "gave " : "kept ", candidate.devices(),
                      " devices  ", CleanText(who), candidate.shrink() ? ", shrinks" : "",
                      "  (tenant ", candidate.tenant_excess(), " beyond its own, weight ",
                      candidate.tenant_weight(), "; priority ", candidate.priority(), "; loses ",
                      Length(candidate.lost_work_ms()), " of work; notice ",
                      Length(candidate.notice_ms()), ")\n");
}

std::string ReclaimText(const v1::Reclaim& reclaim, bool verbose, absl::Time now) {
  std::string text = Line(absl::StrCat("RECALL ", reclaim.id()), ReclaimSentence(reclaim));
  absl::StrAppend(&text, "      ", Moment(reclaim.at_us(), now), ", ", reclaim.free_devices(),
                  " devices were free; asked in this order, lost ", reclaim.lost_device_seconds(),
                  " device-seconds:\n");
  int shown = 0;
  for (const v1::ReclaimCandidate& candidate : reclaim.candidates()) {
    if (candidate.chosen() || verbose || shown < kCandidatesShownMax) {
      text += CandidateLine(candidate);
      ++shown;
    }
  }
  const int hidden = reclaim.candidates_size() - shown;
  absl::StrAppend(&text, hidden == 0 ? "" : absl::StrCat("      ", hidden, " more (-v)\n"),
                  "      due ", Moment(reclaim.due_us(), now),
                  reclaim.given_up() ? "; the claim was given up"
                  : reclaim.settled_at_us() == 0
                      ? "; not settled yet"
                      : absl::StrCat("; settled ", Moment(reclaim.settled_at_us(), now)),
                  "\n");
  return text;
}

std::string PastText(const v1::Job& job, bool verbose, absl::Time now) {
  std::string text;
  for (const v1::Attempt& attempt : job.attempts()) {
    text +=
        Line(absl::StrCat("ATTEMPT ", attempt.number()),
             absl::StrCat(attempt.funding() == v1::FUNDING_BORROWED ? "borrowed, " : "", "ended ",
                          Moment(attempt.ended_at_us(), now), ": ", EndText(attempt.end())));
  }
  for (const v1::Reclaim& reclaim : job.reclaims()) {
    text += ReclaimText(reclaim, verbose, now);
  }
  return text;
}

std::string Headline(const v1::Job& job) {
  return absl::StrCat("Job ", JobIdText(job), " ", CleanText(job.name()), " · ",
                      CleanText(job.tenant()), "/", CleanText(job.project()), " · ",
                      CleanText(job.user()), " · ", ShapeText(job.gang()), " · limit ",
                      berth::FormatDuration(absl::Milliseconds(job.time_limit_ms())), "\n");
}

std::string NodesText(const v1::Explanation& explanation, bool verbose) {
  std::string text;
  for (const v1::Explanation::NodeGroup& group : explanation.node_groups()) {
    text +=
        Line(text.empty() ? "NODES" : "",
             absl::StrCat(group.count(), " ",
                          group.has_reason() ? group.reason().message() : "can be used",
                          group.nodes_size() == 0 ? "" : ": ", NodeText(group.nodes(), verbose)));
  }
  return text;
}

std::string LikelyText(const v1::Explanation& explanation, absl::Time now) {
  if (explanation.start_likely_us() == 0) {
    return "";
  }
  const std::string from = Moment(explanation.start_likely_us(), now);
  const std::string to =
      explanation.start_likely_to_us() == 0 ? from : Moment(explanation.start_likely_to_us(), now);
  return absl::StrCat(", likely ", from,
                      to == from ? "" : absl::StrCat(" to ", absl::StripPrefix(to, "in ")));
}

std::string AwaitedText(const v1::Explanation& explanation, bool verbose, absl::Time now) {
  std::string text;
  for (const v1::Explanation::Awaited& awaited : explanation.waits_for()) {
    text += Line(
        text.empty() ? "  waiting for" : "",
        absl::StrCat(
            awaited.job_id() == 0 ? "another tenant's job" : absl::StrCat("job ", awaited.job_id()),
            awaited.recalled() ? ", which gives its devices back" : "", " on ",
            NodeText(awaited.nodes(), verbose), ", at the latest ", Moment(awaited.by_us(), now)));
  }
  return text;
}

std::string StartText(const v1::Explanation& explanation, bool verbose, absl::Time now) {
  std::string text;
  if (explanation.start_latest_us() != 0 &&
      explanation.verdict() != v1::Explanation::VERDICT_STARTS_NOW) {
    text += Line("EXPECTED START", absl::StrCat(Moment(explanation.start_latest_us(), now),
                                                " at the latest", LikelyText(explanation, now)));
  }
  if (explanation.start_nodes_size() > 0) {
    text += Line("  on", NodeText(explanation.start_nodes(), verbose));
  }
  text += AwaitedText(explanation, verbose, now);
  if (explanation.has_jobs_ahead()) {
    text +=
        Line("AHEAD OF YOU", explanation.jobs_ahead() == 0
                                 ? std::string("nobody")
                                 : absl::StrCat(explanation.jobs_ahead(),
                                                explanation.jobs_ahead() == 1 ? " job" : " jobs"));
  }
  return text;
}

std::string AdviceText(const v1::Explanation& explanation) {
  std::string text;
  for (const v1::Explanation::Advice& advice : explanation.advice()) {
    text += Line(text.empty() ? "YOU CAN" : "",
                 absl::StrCat(advice.option(), "    ", advice.verdict()));
  }
  return text;
}

std::string WaitingText(const v1::Explanation& explanation, bool verbose, absl::Time now) {
  const int count = explanation.blockers_size();
  std::string text = explanation.verdict() == v1::Explanation::VERDICT_STARTS_NOW
                         ? "\nSTARTS NOW\n"
                         : absl::StrCat("\n",
                                        explanation.verdict() == v1::Explanation::VERDICT_NEVER
                                            ? "CAN NEVER START"
                                            : "CANNOT START NOW",
                                        " — ", count, count == 1 ? " blocker" : " blockers", "\n",
                                        ReasonLines(explanation.blockers()));
  if (explanation.notes_size() > 0) {
    absl::StrAppend(&text, "NOTED — not a blocker\n", ReasonLines(explanation.notes()));
  }
  absl::StrAppend(&text, NodesText(explanation, verbose), StartText(explanation, verbose, now),
                  AdviceText(explanation));
  return text;
}

// What would raise the bound that ended the job; of an array, its tasks have one.
std::string RetryText(const v1::Job& job) {
  std::string option;
  if (job.end().reason() == v1::END_REASON_OOM) {
    const int64_t memory_mib = job.gang().per_node().memory_mib();
    option = absl::StrCat("--memory ", memory_mib == 0 ? "SIZE" : MemoryWord(2 * memory_mib));
  } else if (job.end().reason() == v1::END_REASON_TIME_LIMIT) {
    option =
        absl::StrCat("--time ", berth::FormatDuration(absl::Milliseconds(2 * job.time_limit_ms())));
  }
  return option.empty() || job.has_array()
             ? ""
             : Line("YOU CAN", absl::StrCat("berth retry ", JobIdText(job), " ", option,
                                            "    with --plan it says whether that can start"));
}

std::string EndedText(const v1::Job& job, absl::Time now) {
  std::string text =
      Line("ENDED", absl::StrCat(StateSummary(job), ", ", Moment(job.ended_at_us(), now), ", ",
                                 job.has_array() ? ArrayProgressText(job.array())
                                                 : absl::StrCat("attempt ", job.attempt())));
  if (job.has_array() && job.array().failed() > 0) {
    // It has no log: its tasks have.
    text += job.state() == v1::JOB_STATE_FAILED ? Line("FIRST FAILURE", job.end().message())
                                                : Line("WHY", EndText(job.end()));
    text += Line("SEE", "berth ps -a --tasks --state failed");
  } else if (job.has_end() && job.end().failed_rank() >= 0) {
    text += Line("FIRST FAILURE",
                 absl::StrCat("rank ", job.end().failed_rank(),
                              NodeOfRank(job, job.end().failed_rank()), ": ", EndText(job.end())));
    if (job.started_at_us() != 0) {  // what never ran has no log
      text += Line("SEE", absl::StrCat("berth logs ", JobIdText(job)));
    }
  } else if (job.has_end()) {
    text += Line("WHY", EndText(job.end()));
  }
  return text + RetryText(job);
}

// How far it says it is, and what a stop would cost.
std::string ToldText(const v1::Job& job, absl::Time now) {
  std::string text;
  const v1::JobNotice& notice = job.notice();
  if (notice.at_us() != 0) {
    const std::string progress = ProgressText(notice);
    text += Line("TOLD",
                 absl::StrCat(progress, progress.empty() || notice.text().empty() ? "" : ", ",
                              notice.text(), progress.empty() && notice.text().empty() ? "" : ", ",
                              Moment(notice.at_us(), now)));
  }
  if (job.started_at_us() != 0) {
    const absl::Time since = TimeFromMicros(std::max(job.started_at_us(), job.checkpoint_at_us()));
    text += Line("A STOP LOSES",
                 absl::StrCat(LengthForPeople(std::max(now - since, absl::ZeroDuration())),
                              job.checkpoint_at_us() == 0
                                  ? ": it has told of no checkpoint"
                                  : absl::StrCat(" since the checkpoint",
                                                 notice.checkpoint().empty() ? "" : " ",
                                                 notice.checkpoint())));
  }
  return text;
}

std::string RunningText(const v1::Explanation& explanation, absl::Time now) {
  const v1::Job& job = explanation.job();
  if (job.has_array()) {
    const std::string progress = ArrayProgressText(job.array());
    return Line("NOW", absl::StrCat(StateSummary(job), progress.empty() ? "" : ", ", progress)) +
           Line("SEE", "berth ps --tasks");
  }
  const std::vector<std::string> nodes = NodesOf(job);
  std::string text =
      Line("NOW", absl::StrCat(StateSummary(job), ", attempt ", job.attempt(),
                               job.started_at_us() == 0
                                   ? ""
                                   : absl::StrCat(", started ", Moment(job.started_at_us(), now)),
                               nodes.empty() ? "" : absl::StrCat(", on ", FoldNodes(nodes))));
  if (explanation.funding() == v1::FUNDING_BORROWED) {
    text += Line("BORROWED", absl::StrCat("it may be recalled with ", Length(job.grace_ms()),
                                          " notice when the owners need their devices"));
  }
  return text + ToldText(job, now) + ReasonLines(explanation.notes());
}

}  // namespace

std::string ReclaimSentence(const v1::Reclaim& reclaim) {
  const std::string who = reclaim.claim_job_id() == 0 ? reclaim.tenant()
                                                      : absl::StrCat("job ", reclaim.claim_job_id(),
                                                                     " of ", reclaim.tenant());
  const std::string why = reclaim.within_tenant()
                              ? "with a higher priority"
                              : absl::StrCat("within what it owns (", reclaim.used(), " of ",
                                             reclaim.entitlement(), " in use)");
  return CleanText(absl::StrCat(who, " claimed ", reclaim.nodes(), " × ",
                                reclaim.devices_per_node(), " ", reclaim.device_class(), ", ",
                                int64_t{reclaim.nodes()} * reclaim.devices_per_node(), " devices, ",
                                why));
}

std::string ExplanationText(const v1::Explanation& explanation, bool verbose, absl::Time now) {
  const v1::Job& job = explanation.job();
  std::string text = Headline(job);
  if (explanation.as_of_us() != 0) {
    absl::StrAppend(&text, "as of ", Moment(explanation.as_of_us(), now), "\n");
  }
  switch (explanation.verdict()) {
    case v1::Explanation::VERDICT_ENDED:
      text += EndedText(job, now);
      break;
    case v1::Explanation::VERDICT_RUNS:
      text += RunningText(explanation, now);
      break;
    default:
      text += WaitingText(explanation, verbose, now);
  }
  return text + PastText(job, verbose, now);
}

std::string PlanText(const v1::Explanation& explanation, const std::string& name,
                     const std::string& tasks, absl::Time now) {
  std::string text = absl::StrCat(
      "PLAN  ", CleanText(name), "   ", tasks, ShapeText(explanation.gang()), "   tenant ",
      CleanText(explanation.tenant()), "/", CleanText(explanation.project()), "\n");
  text += WaitingText(explanation, false, now);
  if (const double hours = explanation.device_hours_most(); hours > 0) {
    text += Line("COST", absl::StrFormat("up to %.*f device-hours, by its time limit",
                                         hours < 0.1   ? 4
                                         : hours < 100 ? 2
                                                       : 0,
                                         hours));
  }
  for (const std::string& note : explanation.submission_notes()) {
    const bool is_said =
        std::any_of(explanation.notes().begin(), explanation.notes().end(),
                    [&note](const v1::Reason& reason) { return reason.message() == note; });
    text += is_said ? "" : Line("NOTE", note);
  }
  return text + "nothing was submitted\n";
}

}  // namespace berth
