#include "sim/plot.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

#include "sim/units.h"

namespace berth::sim {
namespace {

constexpr int kColumns = 900;  // pixels of the time axis
constexpr int kLeft = 70;
constexpr int kTop = 50;
constexpr int kPanelHeight = 180;
constexpr int kPanelGap = 60;
constexpr int kTicks = 6;

// Averages over each pixel column.
struct Columns {
  std::vector<double> busy = std::vector<double>(kColumns, 0);
  std::vector<double> waiting = std::vector<double>(kColumns, 0);
};

Columns Average(const std::vector<UsagePoint>& usage, double begin, double width) {
  Columns columns;
  for (size_t i = 0; i + 1 < usage.size(); ++i) {
    const double from = (static_cast<double>(usage[i].at_us) - begin) / width;
    const double to = (static_cast<double>(usage[i + 1].at_us) - begin) / width;
    for (int column = std::max(0, static_cast<int>(from)); column < kColumns && column < to;
         ++column) {
      const double part = std::min<double>(to, column + 1) - std::max<double>(from, column);
      columns.busy[column] += part * static_cast<double>(usage[i].devices_busy);
      columns.waiting[column] += part * static_cast<double>(usage[i].jobs_waiting);
    }
  }
  return columns;
}

struct Panel {
  int top = 0;
  absl::string_view label;
  absl::string_view color;
  double max = 1;
};

std::string DrawPanel(const Panel& panel, const std::vector<double>& values) {
  const int bottom = panel.top + kPanelHeight;
  std::string svg = absl::StrFormat(
      "<text x=\"%d\" y=\"%d\" class=\"label\">%s</text>\n"
      "<text x=\"%d\" y=\"%d\" class=\"tick\" text-anchor=\"end\">%.6g</text>\n"
      "<text x=\"%d\" y=\"%d\" class=\"tick\" text-anchor=\"end\">0</text>\n"
      "<path class=\"axis\" d=\"M%d,%d V%d H%d\"/>\n",
      kLeft, panel.top - 8, panel.label, kLeft - 6, panel.top + 5, panel.max, kLeft - 6, bottom + 4,
      kLeft, panel.top, bottom, kLeft + kColumns);
  std::string path = absl::StrFormat("M%d,%d", kLeft, bottom);
  for (int column = 0; column < kColumns; ++column) {
    const double height = std::min(values[column] / panel.max, 1.0) * kPanelHeight;
    absl::StrAppendFormat(&path, " V%.1f H%d", bottom - height, kLeft + column + 1);
  }
  absl::StrAppendFormat(&svg, "<path d=\"%s V%d Z\" fill=\"%s\"/>\n", path, bottom, panel.color);
  return svg;
}

std::string DrawTimeAxis(int bottom, double begin_us, double end_us) {
  std::string svg;
  for (int tick = 0; tick <= kTicks; ++tick) {
    const double hours = (end_us - begin_us) / kHour * tick / kTicks;
    absl::StrAppendFormat(
        &svg, "<text x=\"%d\" y=\"%d\" class=\"tick\" text-anchor=\"middle\">%.4g h</text>\n",
        kLeft + kColumns * tick / kTicks, bottom + 20, hours);
  }
  return svg;
}

}  // namespace

std::string UsagePlot(absl::string_view title, const std::vector<UsagePoint>& usage,
                      int64_t capacity) {
  const double begin = usage.empty() ? 0 : static_cast<double>(usage.front().at_us);
  const double end = usage.empty() ? 1 : static_cast<double>(usage.back().at_us);
  const Columns columns = Average(usage, begin, std::max(end - begin, 1.0) / kColumns);
  const double longest = *std::max_element(columns.waiting.begin(), columns.waiting.end());
  const int second = kTop + kPanelHeight + kPanelGap;
  const int height = second + kPanelHeight + 40;
  const std::string escaped =
      absl::StrReplaceAll(title, {
                                     {"&", "&amp;"},
                                     {"<", "&lt;" },
                                     {">", "&gt;" }
  });
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
      "font-family=\"sans-serif\">\n"
      "<style>.title{font-size:15px}.label{font-size:12px}.tick{font-size:11px;fill:#555}"
      ".axis{fill:none;stroke:#555}</style>\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
      "<text x=\"%d\" y=\"22\" class=\"title\">%s</text>\n",
      kLeft + kColumns + 30, height, kLeft, escaped);
  absl::StrAppend(
      &svg,
      DrawPanel({kTop, "devices busy", "#4a90d9", std::max(1.0, static_cast<double>(capacity))},
                columns.busy),
      DrawPanel({second, "jobs waiting", "#d98a4a", std::max(1.0, std::ceil(longest))},
                columns.waiting),
      DrawTimeAxis(second + kPanelHeight, begin, end), "</svg>\n");
  return svg;
}

}  // namespace berth::sim
