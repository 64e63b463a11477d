// Makes the files of SheetJS and exceljs: npm install exceljs@4.4.0 xlsx@0.18.5 && node make.cjs
// make.py makes those of LibreOffice.
const ExcelJS = require("exceljs");
const XLSX = require("xlsx");

const ROWS = [
  ["Email Address", "First Name", "Town"],
  ["asha@example.org", "Asha", "Pune"],
  ["zoe@example.org", "Zoë", "München"],
];

// The ending of each kind that SheetJS writes.
const KINDS = {
  biff2: "biff2.xls",
  biff5: "biff5.xls",
  csv: "csv",
  dbf: "dbf",
  dif: "dif",
  html: "html.xls",
  ods: "ods",
  prn: "prn",
  rtf: "rtf",
  sylk: "slk",
  txt: "txt",
  xls: "xls",
  xlsb: "xlsb",
  xlsm: "xlsm",
  xlsx: "xlsx",
  xlml: "xlml.xls",
  wk3: "wk3",
};

// Of Excel 95 it writes ASCII only.
const PLAIN = [...ROWS.slice(0, 2), ["zoe@example.org", "Zoe", "Delhi"]];

function sheetjs() {
  for (const [bookType, ending] of Object.entries(KINDS)) {
    const book = XLSX.utils.book_new();
    const sheet = XLSX.utils.aoa_to_sheet(bookType === "biff5" ? PLAIN : ROWS);
    XLSX.utils.book_append_sheet(book, sheet, "People");
    XLSX.writeFile(book, `sheetjs.${ending}`, { bookType, compression: true });
  }
}

async function exceljs() {
  const book = new ExcelJS.Workbook();
  book.addWorksheet("People").addRows(ROWS);
  await book.xlsx.writeFile("exceljs.xlsx");
  await book.csv.writeFile("exceljs.csv");
}

exceljs().then(sheetjs);
