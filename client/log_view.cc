#include "client/log_view.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/log_collapse.h"
#include "client/log_lines.h"
#include "client/log_merge.h"
#include "client/log_printer.h"
#include "client/log_sources.h"
#include "client/rank_failures.h"
#include "client/terminal_text.h"
#include "common/status_macros.h"

namespace berth {
namespace {

// How long a followed log that is silent holds the others back. A line is on its way from its node
// for much less; a line that took longer stands a little late.
constexpr absl::Duration kSilence = absl::Milliseconds(500);

class LogView {
 public:
  LogView(Context& context, ApiClient& api, const LogQuery& query, const FollowLimits& limits)
      : context_(context),
        query_(query),
        for_people_(context.output.for_people()),
        logs_(query.ranks.size()),
        open_(logs_.size()),
        sources_(api, limits),
        merge_(logs_.size(), query.request.follow() ? kSilence : absl::InfiniteDuration(),
               absl::Now()),
        collapse_(logs_.size(),
                  query.request.follow() ? LogCollapse::kWindow : absl::InfiniteDuration()),
        failures_(logs_.size()),
        printer_(context.console, context.output.kind, query.with_ranks, query.is_raw,
                 query.ranks) {}

  absl::StatusOr<int> Run() {
    for (size_t log = 0; log < logs_.size(); ++log) {
      v1::StreamLogsRequest request = query_.request;
      request.set_rank(query_.ranks[log]);
      request.set_with_stamps(true);
      sources_.Open(log, request);
    }
    printer_.Begin();
    while (open_ > 0 && context_.console.Flush()) {
      Step();
    }
    collapse_.Finish();
    Show(absl::Now());
    printer_.End();
    return failures_.Result(context_);
  }

 private:
  struct Log {
    LineSplitter splitter;
    bool is_asked = true;  // for a piece that has not come
    bool ended = false;
  };

  void Step() {
    auto event =
        sources_.Next(std::min({merge_.NextTime(), collapse_.NextTime(), failures_.TellTime()}));
    const absl::Time now = absl::Now();
    if (event.has_value()) {
      Take(*std::move(event), now);
    }
    Show(now);
    if (now >= failures_.TellTime()) {
      failures_.Tell(context_);
    }
    for (size_t log = 0; log < logs_.size(); ++log) {
      if (!logs_[log].is_asked && merge_.IsAwaited(log)) {
        logs_[log].is_asked = true;
        sources_.Want(log);
      }
    }
  }

  void Take(LogSources::Event event, absl::Time now) {
    Log& log = logs_[event.log.log];
    std::deque<LogLine> lines;
    log.is_asked = false;
    if (event.lost_bytes > 0) {
      TellLostBytes(context_, event.log.piece.rank(), event.lost_bytes);
    }
    if (event.log.ended) {
      log.splitter.End(lines);
    } else {
      log.splitter.Add(event.log.piece, lines);
    }
    Merge(event.log.log, std::move(lines), now);
    if (event.log.ended) {
      merge_.End(event.log.log);
      --open_;
      if (!event.log.status.ok()) {
        failures_.Add(query_.ranks[event.log.log], event.log.status, now);
      }
    }
  }

  void Merge(size_t log, std::deque<LogLine> lines, absl::Time now) {
    const int64_t last_us = lines.empty() ? 0 : lines.back().at_us;
    if (query_.lines.has_value()) {
      std::erase_if(lines,
                    [this](const LogLine& line) { return !query_.lines->Matches(line.text); });
    }
    const bool any = !lines.empty();
    merge_.Add(log, std::move(lines), now);
    if (!any && last_us > 0) {
      merge_.Pass(log, last_us, now);
    }
  }

  void Show(absl::Time now) {
    while (std::optional<LogLine> line = merge_.Take(now)) {
      if (for_people_) {
        collapse_.Add(*std::move(line), now);
        ShowGroups(now);
      } else {
        printer_.Print({.ranks = {line->rank}, .at_us = line->at_us, .text = line->text});
      }
    }
    ShowGroups(now);
  }

  void ShowGroups(absl::Time now) {
    while (const std::optional<LogGroup> group = collapse_.Take(now)) {
      printer_.Print(*group);
    }
  }

  Context& context_;
  const LogQuery& query_;
  const bool for_people_;
  std::vector<Log> logs_;
  size_t open_;
  LogSources sources_;
  LogMerge merge_;
  LogCollapse collapse_;
  RankFailures failures_;
  LogPrinter printer_;
};

}  // namespace

absl::StatusOr<int> ShowLogLines(Context& context, const LogQuery& query,
                                 const FollowLimits& limits) {
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  return LogView(context, *api, query, limits).Run();
}

absl::Status ShowLogBytes(Context& context, const LogQuery& query, const FollowLimits& limits) {
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  LogSources sources(*api, limits);
  v1::StreamLogsRequest request = query.request;
  request.set_rank(query.ranks.front());
  sources.Open(0, request);
  TerminalText terminal(query.is_raw || !context.console.out_is_terminal());
  while (context.console.Flush()) {
    const auto event = sources.Next(absl::InfiniteFuture());
    if (!event.has_value() || event->log.ended) {
      context.console.Out(terminal.End());
      return event.has_value() ? event->log.status : absl::OkStatus();
    }
    if (event->lost_bytes > 0) {
      TellLostBytes(context, event->log.piece.rank(), event->lost_bytes);
    }
    context.console.Out(terminal.Pass(event->log.piece.data()));
    sources.Want(0);
  }
  return absl::OkStatus();
}

void TellLostBytes(Context& context, int32_t rank, int64_t bytes) {
  context.PrintNotes({absl::StrCat(
      "rank ", rank, ": ", bytes,
      " bytes had left the log before they could be read: its node keeps a bounded part of it")});
}

}  // namespace berth
