#include "client/output.h"

#include <gtest/gtest.h>

#include "client/text.h"
#include "common/error_detail.h"

namespace berth {
namespace {

Listing TwoJobs() {
  Listing listing{.kind = "JobList", .columns = {}, .rows = {}, .name_field = "id"};
  for (const char* header : {"ID", "NAME", "WHY"}) {
    Column column;
    column.header = header;
    listing.columns.push_back(column);
  }
  listing.columns[0].right = true;
  listing.columns[1].drop = 1;
  Json first{
      {"id",   7       },
      {"name", "训练"},
      {"end",  Json()  }
  };
  Json second{
      {"id",   12                  },
      {"name", "a,\"b\""           },
      {"end",  {{"reason", "exit"}}}
  };
  listing.rows.push_back({
      .json = first, .cells = {"7", "训练", "free"}
  });
  listing.rows.push_back({
      .json = second, .cells = {"12", "abc", ""}
  });
  return listing;
}

std::string RenderAs(const std::string& format, int columns = 100) {
  auto parsed = ParseOutputFormat(format);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  const auto text = Render(TwoJobs(), *parsed, columns, absl::FromUnixSeconds(1'700'000'000));
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

TEST(Output, WhatHasNoNameIsAnError) {
  Listing listing = TwoJobs();
  listing.name_field = "cluster_name";
  const auto text = Render(listing, {.kind = OutputKind::kName}, 100, absl::UnixEpoch());
  EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Text, CountsCellsOfWideAndCombiningCharacters) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("训练"), 4);
  EXPECT_EQ(DisplayWidth("e\xcc\x81"), 1);
  EXPECT_EQ(DisplayWidth("🚀"), 2);
  EXPECT_EQ(CutToWidth("训练任务", 5), "训练…");
  EXPECT_EQ(CutToWidth("训练任务", 8), "训练任务");
  EXPECT_EQ(CutToWidth("abcdef", 4), "abc…");
  EXPECT_EQ(PadToWidth("训", 4, false), "训  ");
  EXPECT_EQ(PadToWidth("训", 4, true), "  训");
}

TEST(Text, MakesEverythingHarmless) {
  EXPECT_EQ(CleanText("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(CleanText("a\tb\n"), "a b\\x0a");
  EXPECT_EQ(CleanText("\xe2\x80\xaeright"), "\\u202eright");
  EXPECT_EQ(CleanText("\xc2\x9b"), "\\x9b");
  EXPECT_EQ(CleanText("a\xff"), "a\xef\xbf\xbd");
  EXPECT_EQ(CleanText("\xc0\x80"), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(CleanText("训练"), "训练");
}

TEST(Text, SaysTimesForPeople) {
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  EXPECT_EQ(TimeForPeople(now - absl::Minutes(12), now), "12m0s ago");
  EXPECT_EQ(TimeForPeople(absl::InfinitePast(), now), "-");
  EXPECT_EQ(LengthForPeople(absl::Seconds(59)), "59s");
  EXPECT_EQ(LengthForPeople(absl::Hours(26)), "1d2h");
  EXPECT_EQ(Rfc3339(now), "2023-11-14T22:13:20.000000+00:00");
}

TEST(Table, AlignsByCells) {
  EXPECT_EQ(RenderAs(""), "ID  NAME  WHY\n 7  训练  free\n12  abc   -\n");
}

TEST(Table, DropsColumnsBeforeItCutsTheLast) {
  EXPECT_EQ(RenderAs("table", 12), "ID  WHY\n 7  free\n12  -\n");
}

TEST(Table, CutsTheLastColumnOnly) {
  Listing listing = TwoJobs();
  listing.rows[0].cells[2] = "only three of four whole nodes are free";
  const auto text = Render(listing, {}, 30, absl::UnixEpoch());
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, "ID  NAME  WHY\n 7  训练  only three of four …\n12  abc   -\n");
}

TEST(Json, IsTheEnvelope) {
  const Json list = Json::parse(RenderAs("json"));
  EXPECT_EQ(list["schema"], "berth/v1");
  EXPECT_EQ(list["kind"], "JobList");
  EXPECT_EQ(list["generated_at"], "2023-11-14T22:13:20.000000+00:00");
  EXPECT_EQ(list["items"].size(), 2u);
  EXPECT_EQ(list["items"][1]["end"]["reason"], "exit");
}

TEST(Json, AnEmptyListIsValidToo) {
  Listing listing{.kind = "JobList", .columns = {}, .rows = {}};
  OutputFormat format;
  format.kind = OutputKind::kJson;
  EXPECT_EQ(Json::parse(*Render(listing, format, 80, absl::UnixEpoch()))["items"], Json::array());
}

TEST(OtherFormats, ArePlain) {
  EXPECT_EQ(RenderAs("name"), "7\n12\n");
  EXPECT_EQ(RenderAs("fields=id,end.reason"), "ID  END.REASON\n7   -\n12  exit\n");
  EXPECT_EQ(RenderAs("csv"),
            "id,name,end\r\n7,训练,\r\n12,\"a,\"\"b\"\"\",\"{\"\"reason\"\":\"\"exit\"\"}\"\r\n");
  const std::string lines = RenderAs("jsonl");
  EXPECT_EQ(Json::parse(lines.substr(0, lines.find('\n')))["id"], 7);
}

TEST(OtherFormats, AnUnknownFieldNamesTheNearest) {
  const auto format = ParseOutputFormat("fields=nmae");
  ASSERT_TRUE(format.ok());
  const auto text = Render(TwoJobs(), *format, 80, absl::UnixEpoch());
  EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FindDetail(text.status())->fix.at(0), "did you mean name?");
  EXPECT_FALSE(ParseOutputFormat("xml").ok());
  EXPECT_FALSE(ParseOutputFormat("fields=").ok());
}

TEST(Error, SaysWhatWhyAndFix) {
  const absl::Status status =
      WithDetail(absl::InvalidArgumentError("j.sh:14:10: unknown key"),
                 {
                     .code = "B1302",
                     .why = {"14 | device = 8", "   | ^^^^^^", "a reason", "another"},
                     .fix = {"do this",        "or that"                    }
  });
  EXPECT_EQ(RenderError(status),
            "error[B1302]: j.sh:14:10: unknown key\n"
            "    14 | device = 8\n"
            "       | ^^^^^^\n"
            "  why:  a reason\n"
            "        another\n"
            "  fix:  do this\n"
            "        or that\n");
}

}  // namespace
}  // namespace berth
