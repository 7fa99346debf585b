#include "client/views.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "client/text.h"

namespace berth {
namespace {

// Of an IndexRange, or of an ArrayStatus with one range, which has the same fields.
template <typename Message>
std::string RangeText(const Message& range) {
  const int64_t last = range.first() + (int64_t{range.count()} - 1) * range.step();
  return range.count() == 1 ? absl::StrCat(range.first())
                            : absl::StrCat(range.first(), "-", last,
                                           range.step() > 1 ? absl::StrCat(":", range.step()) : "");
}

Json ArrayJson(const v1::ArrayStatus& array) {
  return {
      {"first",               array.first()                                                      },
      {"count",               array.count()                                                      },
      {"step",                array.step()                                                       },
      {"concurrent_max",      array.concurrent_max() == 0 ? Json() : Json(array.concurrent_max())},
      {"started",             array.started()                                                    },
      {"live",                array.live()                                                       },
      {"succeeded",           array.succeeded()                                                  },
      {"failed",              array.failed()                                                     },
      {"cancelled",           array.cancelled()                                                  },
      {"indexes",             IndexesText(array)                                                 },
      {"fails_max",           array.fails_max() == 0 ? Json() : Json(array.fails_max())          },
      {"cancelled_unstarted", IndexesText(array.cancelled_unstarted())                           },
  };
}

// What was added to a job's JSON for arrays, dependencies and begin times.
void AddPlace(const v1::Job& job, Json& json) {
  json["array"] = job.has_array() ? ArrayJson(job.array()) : Json();
  json["array_id"] = job.array_id() == 0 ? Json() : Json(job.array_id());
  json["array_index"] = job.array_id() == 0 ? Json() : Json(job.array_index());
  json["dependencies"] = Json::array();
  for (const v1::Dependency& dependency : job.dependencies()) {
    json["dependencies"].push_back({
        {"kind", DependencyWord(dependency.kind())},
        {"job",  dependency.job_id()              }
    });
  }
  json["begin_at"] = TimeJson(job.begin_time_us());
  json["checkpoint_at"] = TimeJson(job.checkpoint_at_us());
  json["notice"] = NoticeJson(job.notice());
  json["preemptible"] = !job.not_preemptible();
  json["may_borrow"] = !job.no_borrow();
}

Json DevicesJson(const v1::Job& job) {
  Json devices = Json::array();
  for (const v1::Allocation& allocation : job.allocations()) {
    for (const v1::DeviceAssignment& device : allocation.devices()) {
      devices.push_back({
          {"node",  allocation.node()    },
          {"index", device.index()       },
          {"class", device.device_class()},
          {"uuid",  device.uuid()        }
      });
    }
  }
  return devices;
}

// How long a job has waited or run.
std::string JobLength(const v1::Job& job, absl::Time now) {
  const absl::Time started = TimeFromMicros(job.started_at_us());
  const absl::Time ended = job.ended_at_us() == 0 ? now : TimeFromMicros(job.ended_at_us());
  const bool ran = started != absl::InfinitePast();
  return LengthForPeople(ended - (ran ? started : TimeFromMicros(job.submitted_at_us())));
}

// Where it runs, or why it does not.
std::string WhereOrWhy(const v1::Job& job) {
  if (job.has_array() && job.array().started() > 0) {
    return ArrayProgressText(job.array());
  }
  if (IsEnded(job.state())) {
    const std::string nodes = absl::StrJoin(NodesOf(job), ",");
    return job.state() == v1::JOB_STATE_SUCCEEDED || job.end().message().empty()
               ? nodes
               : job.end().message();
  }
  if (!job.reason().message().empty()) {
    return job.reason().message();
  }
  return absl::StrJoin(NodesOf(job), ",");
}

// In use, or asked for: an elastic gang may have started on fewer, or have given some back.
int32_t NodeCount(const v1::Job& job) {
  const auto held = std::count_if(
      job.allocations().begin(), job.allocations().end(),
      [](const v1::Allocation& allocation) { return allocation.state() != "released"; });
  const bool holds = held > 0 && !IsWaiting(job.state()) && !IsEnded(job.state());
  return holds ? static_cast<int32_t>(held) : job.gang().nodes();
}

// As NodeCount; of an array, by its live tasks.
std::string DeviceCount(const v1::Job& job) {
  const v1::GangSpec& gang = job.gang();
  if (gang.device_share_milli() > 0) {
    return absl::StrFormat("%g", gang.device_share_milli() / 1000.0);
  }
  const int64_t tasks = job.has_array() ? job.array().live() : 1;
  return absl::StrCat(tasks * NodeCount(job) * gang.devices_per_node());
}

bool AnyTold(const std::vector<v1::Job>& jobs) {
  return std::any_of(jobs.begin(), jobs.end(),
                     [](const v1::Job& job) { return job.notice().has_progress_milli(); });
}

}  // namespace

std::string JobIdText(const v1::Job& job) {
  if (job.array_id() != 0) {
    return absl::StrCat(job.array_id(), ".", job.array_index());
  }
  return absl::StrCat(job.id(), job.has_array() ? "." : "");
}

std::string CheckpointText(const v1::Job& job, absl::Time now) {
  if (job.checkpoint_at_us() == 0) {
    return "";
  }
  const std::string& name = job.notice().checkpoint();
  return absl::StrCat(name, name.empty() ? "" : ", ",
                      TimeForPeople(TimeFromMicros(job.checkpoint_at_us()), now));
}

std::string ProgressText(const v1::JobNotice& notice) {
  return notice.has_progress_milli() ? absl::StrFormat("%g %%", notice.progress_milli() / 10.0)
                                     : "";
}

Json NoticeJson(const v1::JobNotice& notice) {
  if (notice.at_us() == 0) {
    return {};
  }
  Json json;
  json["at"] = TimeJson(notice.at_us());
  json["text"] = notice.text();
  json["checkpoint"] = notice.checkpoint().empty() ? Json() : Json(notice.checkpoint());
  json["progress"] = notice.has_progress_milli()
                         ? Json(static_cast<double>(notice.progress_milli()) / 1000)
                         : Json();
  return json;
}

std::string IndexesText(const v1::ArrayStatus& array) {
  return array.ranges().empty() ? RangeText(array) : IndexesText(array.ranges());
}

std::string IndexesText(const google::protobuf::RepeatedPtrField<v1::IndexRange>& ranges) {
  return absl::StrJoin(ranges, ",", [](std::string* out, const v1::IndexRange& range) {
    absl::StrAppend(out, RangeText(range));
  });
}

std::string ArrayProgressText(const v1::ArrayStatus& array) {
  const int32_t waiting =
      array.count() - array.live() - array.succeeded() - array.failed() - array.cancelled();
  std::vector<std::string> parts;
  for (const auto& [number, word] : {
           std::pair{waiting,           "waiting"  },
           std::pair{array.succeeded(), "done"     },
           std::pair{array.failed(),    "failed"   },
           std::pair{array.cancelled(), "cancelled"},
  }) {
    if (number > 0) {
      parts.push_back(absl::StrCat(number, " ", word));
    }
  }
  return absl::StrJoin(parts, ", ");
}

std::string StateSummary(const v1::Job& job) {
  std::string text = JobStateWord(job.state());
  if (job.has_array() && !IsEnded(job.state()) && job.array().started() > 0) {
    return absl::StrCat("running ", job.array().live(), "/", job.array().count());
  }
  if (job.end().reason() == v1::END_REASON_IDLE) {
    return absl::StrCat(text, " idle");
  }
  if (job.state() != v1::JOB_STATE_FAILED) {
    return job.attempt() > 0 && !IsEnded(job.state()) ? absl::StrCat(text, " #", job.attempt())
                                                      : text;
  }
  const v1::JobEnd& end = job.end();
  absl::StrAppend(&text, " ", EndReasonWord(end.reason()));
  if (end.reason() == v1::END_REASON_EXIT || end.reason() == v1::END_REASON_LAUNCH_ERROR) {
    absl::StrAppend(&text, ":", end.exit_code());
  } else if (end.reason() == v1::END_REASON_SIGNAL) {
    absl::StrAppend(&text, ":", end.signal());
  }
  return end.failed_rank() < 0 ? text : absl::StrCat(text, " r", end.failed_rank());
}

std::vector<std::string> NodesOf(const v1::Job& job) {
  std::vector<std::string> nodes;
  for (const v1::Allocation& allocation : job.allocations()) {
    nodes.push_back(allocation.node());
  }
  return nodes;
}

Json FundingJson(v1::Funding funding) {
  if (funding == v1::FUNDING_OWNED) {
    return "owned";
  }
  return funding == v1::FUNDING_BORROWED ? Json("borrowed") : Json();
}

Json ReasonJson(const v1::Reason& reason) {
  if (reason.code().empty() && reason.message().empty()) {
    return {};
  }
  return {
      {"code",    reason.code()   },
      {"name",    reason.name()   },
      {"message", reason.message()}
  };
}

Json EndJson(const v1::JobEnd& end) {
  if (end.reason() == v1::END_REASON_UNSPECIFIED) {
    return {};
  }
  return {
      {"reason",      EndReasonWord(end.reason())                             },
      {"exit_code",   end.exit_code()                                         },
      {"signal",      end.signal()                                            },
      {"failed_rank", end.failed_rank() < 0 ? Json() : Json(end.failed_rank())},
      {"message",     end.message()                                           }
  };
}

Json TimeJson(int64_t micros) {
  return micros == 0 ? Json() : Json(Rfc3339(TimeFromMicros(micros)));
}

Json JobJson(const v1::Job& job) {
  Json json;
  json["id"] = job.id();
  json["name"] = job.name();
  json["tenant"] = job.tenant();
  json["project"] = job.project();
  json["user"] = job.user();
  json["state"] = JobStateWord(job.state());
  json["reason"] = ReasonJson(job.reason());
  json["attempt"] = job.attempt();
  json["submitted_at"] = TimeJson(job.submitted_at_us());
  json["started_at"] = TimeJson(job.started_at_us());
  json["ended_at"] = TimeJson(job.ended_at_us());
  json["end"] = EndJson(job.end());
  json["nodes"] = NodesOf(job);
  json["devices"] = DevicesJson(job);
  json["funding"] = FundingJson(job.funding());
  json["gang"] = GangJson(job.gang());
  json["time_limit_seconds"] = static_cast<double>(job.time_limit_ms()) / 1000;
  json["grace_seconds"] = static_cast<double>(job.grace_ms()) / 1000;
  json["priority"] = job.priority();
  json["cancel_requested"] = job.cancel_requested();
  json["notes"] = std::vector<std::string>(job.notes().begin(), job.notes().end());
  AddPlace(job, json);
  json["allocations"] = Json::array();
  for (const v1::Allocation& allocation : job.allocations()) {
    json["allocations"].push_back(AllocationJson(allocation));
  }
  return json;
}

std::vector<std::string> JobCells(const v1::Job& job, absl::Time now) {
  // A name has no bound that a table could bear.
  constexpr int kNameCellsMax = 32;
  constexpr int kNoticeCellsMax = 40;
  return {JobIdText(job),
          CutToWidth(CleanText(job.name()), kNameCellsMax),
          job.tenant(),
          job.user(),
          job.project(),
          StateSummary(job),
          DeviceCount(job),
          job.has_array() ? "-" : absl::StrCat(NodeCount(job)),
          JobLength(job, now),
          TimeForPeople(TimeFromMicros(job.ended_at_us()), now),
          ProgressText(job.notice()),
          CheckpointText(job, now),
          CutToWidth(CleanText(job.notice().text()), kNoticeCellsMax),
          WhereOrWhy(job)};
}

Listing JobListing(const std::vector<v1::Job>& jobs, bool owners, OutputKind kind, absl::Time now) {
  Listing listing{.kind = "JobList", .columns = {}, .rows = {}, .name_field = "id"};
  listing.columns = {
      Right("ID"),
      Left("NAME"),
      owners ? Left("TENANT", 5) : WideOnly(Left("TENANT", 5)),
      owners ? Left("USER", 4) : WideOnly(Left("USER", 4)),
      WideOnly(Left("PROJECT")),
      Left("STATE"),
      Right("DEVICES", 1),
      Right("NODES", 2),
      Right("WAIT/RUN"),
      Left("END", 3),
      AnyTold(jobs) ? Right("PROGRESS", 3) : WideOnly(Right("PROGRESS", 3)),
      WideOnly(Left("CHECKPOINT", 3)),
      WideOnly(Left("NOTICE", 6)),
      Left("WHERE/WHY"),
  };
  listing.rows.reserve(jobs.size());
  for (const v1::Job& job : jobs) {
    Row& row = listing.rows.emplace_back();
    if (kind == OutputKind::kTable || kind == OutputKind::kWide) {
      row.cells = JobCells(job, now);
    } else if (kind == OutputKind::kName) {
      row.json = {
          {"id", job.id()}
      };
    } else {
      row.json = JobJson(job);
    }
  }
  return listing;
}

}  // namespace berth
