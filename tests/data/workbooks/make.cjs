// Makes the workbooks of exceljs and SheetJS: npm install exceljs@4.4.0 xlsx@0.18.5 && node make.cjs
// All hold the same people as full.xlsx of make.py, as far as the programs can write them.
const ExcelJS = require("exceljs");
const XLSX = require("xlsx");

const HEADER = ["Email Address", "First Name", "ID", "Joined", "Score"];
const JOINED = new Date(Date.UTC(2026, 0, 31, 9, 30));
const ROWS = [
  ["a@x.org", "Åsa", 42, "00000", { formula: 'IF(1=1,"","x")', result: "" }],
  ["b@x.org", "Bo", 42, '"EMP-"00000', { formula: "1+1", result: 2 }],
  ["c@x.org", " C  y ", 919845000001, "0", { formula: '"x"&"y"', result: "xy" }],
  ["d@x.org", "Di\tx", 1234.5, "#,##0.00", true],
  ["e@x.org", "E\nf", 0.75, "0%", "text"],
];

async function exceljs() {
  const book = new ExcelJS.Workbook();
  const sheet = book.addWorksheet("People");
  sheet.addRow(HEADER);
  ROWS.forEach(([email, name, id, format, score]) => {
    const row = sheet.addRow([email, name, id, JOINED, score]);
    row.getCell(3).numFmt = format;
    row.getCell(4).numFmt = "dd/mm/yyyy hh:mm";
  });
  book.addWorksheet("Old", { state: "hidden" }).addRow(HEADER);
  await book.xlsx.writeFile("exceljs.xlsx");
}

function sheetjs() {
  const book = XLSX.utils.book_new();
  const sheet = XLSX.utils.aoa_to_sheet([HEADER, ...ROWS.map((row) => row.slice(0, 2))]);
  ROWS.forEach(([, , id, format, score], place) => {
    const line = place + 2;
    sheet[`C${line}`] = { t: "n", v: id, z: format };
    sheet[`D${line}`] = { t: "n", v: 46053 + 9.5 / 24, z: "dd/mm/yyyy hh:mm" };
    if (score.formula) {
      const value = score.result;
      sheet[`E${line}`] = { t: typeof value === "number" ? "n" : "s", v: value, f: score.formula };
    } else {
      sheet[`E${line}`] = { t: score === true ? "b" : "s", v: score };
    }
  });
  sheet["!ref"] = `A1:E${ROWS.length + 1}`;
  XLSX.utils.book_append_sheet(book, sheet, "People");
  XLSX.utils.book_append_sheet(book, XLSX.utils.aoa_to_sheet([HEADER]), "Old");
  book.Workbook = { Sheets: [{ Hidden: 0 }, { Hidden: 1 }] };
  for (const kind of ["xlsx", "xls", "ods", "xlsb"]) XLSX.writeFile(book, `sheetjs.${kind}`);
}

exceljs().then(sheetjs);
